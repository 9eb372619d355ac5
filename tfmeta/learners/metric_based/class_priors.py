"""What is known of a class before its shots, as one more row of the support."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class WeightedSupport(NamedTuple):
    """A support whose rows count for more or less than one shot.

    Attributes:
        rows: `(tasks, rows, *example)`, examples or embeddings.
        labels: `(tasks, rows, ways)` float, one-hot times the weight of the row.
        mask: `(tasks, rows)` bool, False is padding; `None` where nothing is padded.
    """

    rows: tf.Tensor
    labels: tf.Tensor
    mask: tf.Tensor | None


def with_priors(
    support: tf.Tensor,
    support_labels: tf.Tensor,
    prior: tf.Tensor | None,
    *,
    prior_shots: float,
    support_mask: tf.Tensor | None = None,
    prior_mask: tf.Tensor | None = None,
) -> WeightedSupport:
    """A support with one more row for every class, which weighs `prior_shots` shots.

    Args:
        support: `(tasks, support, *example)`, examples or embeddings; `support` may
            be 0.
        support_labels: `(tasks, support, ways)`, one-hot.
        prior: `(tasks, ways, *example)`: row `k` says what class `k` is like; `None`
            for a support alone.
        prior_shots: How many shots such a row weighs, above 0.
        support_mask: `(tasks, support)` bool, or `None`.
        prior_mask: `(tasks, ways)` bool, False for a class without such a row, or
            `None`.

    Returns:
        The support, then the priors.

    Raises:
        ValueError: When there is not one prior for each way.
    """
    support = tf.convert_to_tensor(support)
    labels = tf.convert_to_tensor(support_labels)
    if not labels.dtype.is_floating:
        labels = tf.cast(labels, tf.float32)
    if prior is None:
        return WeightedSupport(support, labels, support_mask)
    prior = tf.convert_to_tensor(prior)
    rows, ways = prior.shape[1], labels.shape[2]
    if None not in (rows, ways) and rows != ways:
        raise ValueError(
            "`prior` must have one row for each way of `support_labels`, (tasks, ways, "
            f"*example). Received: prior of shape {tuple(prior.shape)} for {ways} ways"
        )
    one_hot = tf.eye(tf.shape(prior)[1], dtype=labels.dtype)
    of_prior = prior_shots * tf.repeat(one_hot[None], tf.shape(prior)[0], axis=0)
    mask = None
    if support_mask is not None or prior_mask is not None:
        masks = [
            tf.ones(tf.shape(part)[:2], tf.bool) if given is None else given
            for part, given in ((support, support_mask), (prior, prior_mask))
        ]
        mask = tf.concat([tf.cast(part, tf.bool) for part in masks], axis=1)
    return WeightedSupport(
        tf.concat([support, prior], axis=1),
        tf.concat([labels, of_prior], axis=1),
        mask,
    )
