"""Padding that shows itself when it is not ignored."""

from __future__ import annotations

import tensorflow as tf


def pad_episode(
    batch: tuple,
    *,
    support: int = 0,
    queries: int = 0,
    ways: int = 0,
    unlabelled: int = 0,
) -> tuple:
    """Adds padded rows and absent ways to an episode batch, filled with garbage.

    A learner must give the same logits, loss, metrics and training update with
    and without them. Padded examples are NaN (for integers the largest number
    there is, for text words of their own), and padded support rows claim to
    belong to some way, the absent ones first: whatever leaks is seen.

    Args:
        batch: `(inputs, y)` or `(inputs, y, sample_weight)`, as
            `tfmeta.episodes.Episodes` gives it, of arrays or tensors.
        support: Number of support rows to add to each task.
        queries: Number of query rows to add to each task. Their label and their
            `sample_weight` are 0.
        ways: Number of ways to add that no real support row belongs to.
        unlabelled: Number of unlabelled rows to add to each task, where the batch
            has such.

    Returns:
        The batch, of tensors, with the masks and the `sample_weight` that say
        what is real. The added rows and ways come last.

    Raises:
        ValueError: When a number is negative, or for `ways` in regression, which
            has none, or for `unlabelled` in a batch without.

    Example:

    ```python
    inputs, y, sample_weight = pad_episode(episodes.batch(0), support=2, queries=3)
    learner.test_on_batch(inputs, y, sample_weight)  # as without the padding
    ```
    """
    if min(support, queries, ways, unlabelled) < 0:
        raise ValueError(
            "`support`, `queries`, `ways` and `unlabelled` must be at least 0. "
            f"Received: support={support}, queries={queries}, ways={ways}, "
            f"unlabelled={unlabelled}"
        )
    inputs, y, *weight = batch
    inputs = {name: tf.convert_to_tensor(part) for name, part in inputs.items()}
    y = tf.convert_to_tensor(y)
    labels = inputs["support_labels"]
    is_regression = y.dtype.is_floating
    if ways and is_regression:
        raise ValueError(
            "`ways` must be 0 for regression, where there are none. Received: "
            f"ways={ways}"
        )
    if ways:
        labels = _extended(labels, ways, axis=2, value=0)
    if support:
        _pad_examples(inputs, "support", labels, support)
        if is_regression:
            labels = _extended(labels, support, axis=1, value=_garbage(labels.dtype))
        else:
            tasks, _, all_ways = tf.unstack(tf.shape(labels))
            claimed = all_ways - 1 - tf.range(support) % all_ways
            claims = tf.one_hot(claimed, all_ways, dtype=labels.dtype)
            claims = tf.broadcast_to(claims, [tasks, support, all_ways])
            labels = tf.concat([labels, claims], axis=1)
    inputs["support_labels"] = labels
    if unlabelled:
        if "unlabelled" not in inputs:
            raise ValueError(
                "`unlabelled` must be 0 for a batch without unlabelled rows. Received: "
                f"unlabelled={unlabelled}, inputs {', '.join(sorted(inputs))}"
            )
        _pad_examples(inputs, "unlabelled", inputs["unlabelled"], unlabelled)
    if queries:
        weights = tf.convert_to_tensor(weight[0]) if weight else None
        if weights is None:
            weights = tf.cast(_mask(inputs, "query_mask", y), tf.float32)
        _pad_examples(inputs, "query", y, queries)
        y = _extended(y, queries, axis=1, value=0)
        weight = [_extended(weights, queries, axis=1, value=0)]
    return (inputs, y, *weight)


def _pad_examples(
    inputs: dict[str, tf.Tensor], name: str, rows: tf.Tensor, count: int
) -> None:
    """Adds `count` rows of garbage to `inputs[name]`, and to its mask."""
    mask = _mask(inputs, f"{name}_mask", rows)
    inputs[f"{name}_mask"] = _extended(mask, count, axis=1, value=False)
    examples = inputs[name]
    inputs[name] = _extended(examples, count, axis=1, value=_garbage(examples.dtype))


def _garbage(dtype: tf.DType) -> float | int | str:
    if dtype == tf.string:
        return "of padding"
    return float("nan") if dtype.is_floating else dtype.max


def _mask(inputs: dict[str, tf.Tensor], name: str, rows: tf.Tensor) -> tf.Tensor:
    return inputs.get(name, tf.ones(tf.shape(rows)[:2], tf.bool))


def _extended(
    x: tf.Tensor, count: int, *, axis: int, value: float | int | bool | str
) -> tf.Tensor:
    """`x` with `count` entries of `value` behind those along `axis`."""
    shape = tf.concat([tf.shape(x)[:axis], [count], tf.shape(x)[axis + 1 :]], axis=0)
    return tf.concat([x, tf.fill(shape, tf.constant(value, x.dtype))], axis=axis)
