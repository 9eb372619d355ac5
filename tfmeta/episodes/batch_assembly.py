"""Puts the examples of a drawn batch together as learners take it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfmeta.datasets.storage.gathering import Gather
from tfmeta.episodes.index_sampler import EpisodeIndices
from tfmeta.episodes.settings import EpisodeSettings
from tfmeta.episodes.streams import EpisodeStreams

Augmentation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def assemble_batch(
    drawn: EpisodeIndices,
    gather: Gather,
    settings: EpisodeSettings,
    streams: EpisodeStreams,
    *,
    support_augment: Augmentation | None = None,
    query_augment: Augmentation | None = None,
    gather_attributes: Gather | None = None,
) -> tuple:
    """The batch `(inputs, y)` or `(inputs, y, sample_weight)`.

    Args:
        drawn: Which classes and examples.
        gather: From rows of the table to examples.
        settings: What a task consists of.
        streams: The streams of the batch's step.
        support_augment: Distorts support and unlabelled examples.
        query_augment: Distorts query examples.
        gather_attributes: From class ids to what stands in for support examples,
            or `None` where those are the support.

    Returns:
        The batch; see `Episodes.as_dataset` for its parts.
    """
    tasks, ways = settings.tasks, settings.most_ways
    shots, queries = settings.most_shots, settings.queries

    def examples(
        rows: tf.Tensor, augment: Augmentation | None, stream: tf.Tensor
    ) -> tf.Tensor:
        gathered = gather(tf.reshape(rows, [tasks, -1]))
        return gathered if augment is None else _augmented(gathered, augment, stream)

    # A constant: what a learner makes of labels alone is known when it is traced.
    one_hot = np.repeat(np.eye(ways, dtype=np.float32), shots, axis=0)
    labels = tf.constant(np.broadcast_to(one_hot, [tasks, *one_hot.shape]))
    y = tf.reshape(drawn.query_ways, [tasks, ways * queries])
    if gather_attributes is None:
        support = examples(drawn.support, support_augment, streams.support_augment)
    else:
        support = gather_attributes(drawn.classes)
    inputs = {
        "support": support,
        "support_labels": labels,
        "query": examples(drawn.query, query_augment, streams.query_augment),
    }
    if settings.unlabelled:
        inputs["unlabelled"] = examples(
            drawn.unlabelled, support_augment, streams.unlabelled_augment
        )
    if settings.ways_vary or settings.shots_vary:
        mask = tf.reshape(drawn.support_mask, [tasks, ways * shots])
        inputs["support"] = _blank(inputs["support"], mask)
        inputs["support_labels"] = _blank(labels, mask)
        inputs["support_mask"] = mask
    if not settings.ways_vary:
        return inputs, y
    if settings.unlabelled:
        inputs["unlabelled"] = _blank(inputs["unlabelled"], drawn.unlabelled_mask)
        inputs["unlabelled_mask"] = drawn.unlabelled_mask
    mask = tf.reshape(drawn.query_mask, [tasks, ways * queries])
    inputs["query"] = _blank(inputs["query"], mask)
    inputs["query_mask"] = mask
    return inputs, _blank(y, mask), tf.cast(mask, tf.float32)


def _augmented(
    examples: tf.Tensor, augment: Augmentation, stream: tf.Tensor
) -> tf.Tensor:
    flat = tf.reshape(examples, [-1, *examples.shape[2:]])
    return tf.reshape(augment(flat, stream), examples.shape)


def _blank(rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """`rows` with zeros where `mask` is False."""
    mask = tf.reshape(mask, mask.shape + [1] * (len(rows.shape) - len(mask.shape)))
    return tf.where(mask, rows, tf.zeros_like(rows))
