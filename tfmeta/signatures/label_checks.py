"""Checks of labels that run where a model is served."""

from __future__ import annotations

import tensorflow as tf

# The most classes of a task that is served: tables are as wide as its highest label,
# which comes from a stranger.
MOST_WAYS = 4096


def checked_labels(
    support: tf.Tensor,
    labels: tf.Tensor,
    *,
    most_ways: int | None = None,
    all_present: bool = True,
) -> tf.Tensor:
    """The labels, available only when they are 0 to ways - 1, each present.

    Args:
        support: `(support, *example)`.
        labels: Int32 `(support,)`.
        most_ways: The ways of a head that has a fixed number, `None` for any up to
            `MOST_WAYS`.
        all_present: Whether each must be; where a task is told example by example, a
            request may hold one class alone.
    """
    labels = checked_targets(support, labels)
    labels = _require(
        tf.reduce_all(labels >= 0),
        "`support_labels` must not be negative. Received: support_labels =",
        labels,
        labels,
    )
    labels = _require(
        tf.reduce_all(labels < (most_ways or MOST_WAYS)),
        f"`support_labels` must be below {MOST_WAYS}, the most ways of a task that is "
        "served. Received: support_labels ="
        if most_ways is None
        else f"`support_labels` must be below {most_ways}, the ways that this model "
        "was trained with. Received: support_labels =",
        labels,
        labels,
    )
    if not all_present:
        return labels
    found = tf.size(tf.unique(labels).y)
    return _require(
        tf.equal(found - 1, tf.reduce_max(labels)),
        "`support_labels` must be 0 to ways - 1 without a gap: number the classes "
        "of the task in order. Received: support_labels =",
        labels,
        labels,
    )


def checked_prior_labels(
    support: tf.Tensor, labels: tf.Tensor, prior: tf.Tensor
) -> tf.Tensor:
    """The labels, available only when each is that of a class with a prior.

    Args:
        support: `(support, *example)`; may be empty.
        labels: Int32 `(support,)`.
        prior: `(ways, *example)`, at least one, at most `MOST_WAYS`.
    """
    lengths = [tf.shape(rows)[0] for rows in (support, labels, prior)]
    labels = _require(
        tf.equal(lengths[0], lengths[1]),
        "`support_labels` must have one label for each support example. Received: "
        "(support, support_labels) of length",
        tf.stack(lengths[:2]),
        labels,
    )
    labels = _require(
        (lengths[2] > 0) & (lengths[2] <= MOST_WAYS),
        "`prior` must have one row for each class, from 1 to "
        f"{MOST_WAYS}. Received: prior of length",
        lengths[2],
        labels,
    )
    return _require(
        tf.reduce_all((labels >= 0) & (labels < lengths[2])),
        "`support_labels` must be 0 to ways - 1, where `prior` has one row for each "
        "of the ways. Received: support_labels =",
        labels,
        labels,
    )


def checked_targets(support: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The labels, or targets, available only when there is one for each example.

    Args:
        support: `(support, *example)`, at least one.
        labels: `(support, ...)`.
    """
    rows = tf.shape(support)[0]
    labels = _require(
        tf.equal(tf.shape(labels)[0], rows),
        "`support_labels` must have one label for each support example. Received: "
        "(support, support_labels) of length",
        tf.stack([rows, tf.shape(labels)[0]]),
        labels,
    )
    return _require(
        rows > 0,
        "`support` must have at least one example. Received: support of length",
        rows,
        labels,
    )


def with_a_class(answer: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The answer, available only when the state that it is of knows some class.

    Args:
        answer: Tensors by name, of which `logits` are `(queries, ways)`, `-inf` for a
            way of which nothing is known.
    """
    known = tf.reduce_any(answer["logits"] != float("-inf"), axis=-1)
    check = tf.debugging.Assert(
        tf.reduce_all(known),
        [
            "the state must be one that knows at least one class: give it a support "
            "first. Received: a state of which nothing was learned, for queries =",
            tf.size(known),
        ],
    )
    with tf.control_dependencies([check]):
        return {name: tf.identity(part) for name, part in answer.items()}


def _require(
    condition: tf.Tensor, message: str, received: tf.Tensor, value: tf.Tensor
) -> tf.Tensor:
    """`value`, which nothing can use unless the condition holds."""
    check = tf.debugging.Assert(condition, [message, received], summarize=32)
    with tf.control_dependencies([check]):
        return tf.identity(value)
