"""What every sequence of batches of tasks can do, wherever they come from."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.episodes.arguments import check_count
from tfmeta.episodes.prefetching import prefetch


class EpisodeSequence(abc.ABC):
    """A sequence of batches of tasks; batch `step` is a function of the step."""

    @property
    @abc.abstractmethod
    def origins(self) -> frozenset[str]:
        """Origins of all classes that these episodes can emit."""

    @abc.abstractmethod
    def describe(self) -> dict[str, Any]:
        """The settings that, with the data, fix the episodes; plain values."""

    @abc.abstractmethod
    def class_ids(self, step: int) -> np.ndarray:
        """Int32 `(tasks, ways)`: class ids of batch `step`, -1 where padded."""

    @abc.abstractmethod
    def batch(self, step: int | tf.Tensor) -> tuple:
        """Batch `step` as `(inputs, y)` or `(inputs, y, sample_weight)`."""

    def check_disjoint(self, *others: EpisodeSequence) -> None:
        """Proves that no class of these episodes occurs in the others.

        Distractors count. Classes made from one class count as that class, so
        that a character in training and its rotation in test do not pass.

        Raises:
            ValueError: When classes are shared; names up to five of them.
        """
        for other in others:
            shared = sorted(self.origins & other.origins)
            if shared:
                raise ValueError(
                    f"episodes must be disjoint in their classes. Received: "
                    f"{len(shared)} shared, among them {', '.join(shared[:5])}"
                )

    def as_dataset(
        self,
        *,
        start: int = 0,
        steps: int | None = None,
        num_shards: int = 1,
        shard: int = 0,
    ) -> tf.data.Dataset:
        """The batches from `start` on, as a `tf.data.Dataset`.

        Args:
            start: First step; reached at once, nothing is replayed.
            steps: Number of batches, or `None` for no end.
            num_shards: Number of workers that share the sequence.
            shard: Which worker this is: it gets steps `start + shard`,
                `start + shard + num_shards`, and so on.

        Returns:
            A data set of `(inputs, y)`, or of `(inputs, y, sample_weight)` when
            ways vary. `inputs["support"]` has shape `(tasks, ways * shots,
            *example)` and the table's dtype, `inputs["support_labels"]` `(tasks,
            ways * shots, ways)` float32 one-hot, `inputs["query"]` `(tasks, ways *
            queries, *example)`; `y` `(tasks, ways * queries)` int32. The support of
            zero-shot episodes is `(tasks, ways, *attribute)`, of the dtype of the
            attributes. Semi-supervised episodes have `inputs["unlabelled"]`,
            `(tasks, (ways + distractors) * unlabelled, *example)`, shuffled. When
            ways or shots vary, `inputs["support_mask"]` and, for ways,
            `inputs["query_mask"]` and `inputs["unlabelled_mask"]` say which rows
            are real.
        """
        start = check_count("start", start, 0)
        if steps is not None:
            steps = check_count("steps", steps, 1)
        num_shards = check_count("num_shards", num_shards, 1)
        shard = check_count("shard", shard, 0)
        if shard >= num_shards:
            raise ValueError(
                "`shard` must be from 0 to `num_shards` - 1. Received: "
                f"shard={shard}, num_shards={num_shards}"
            )
        stop = np.iinfo(np.int64).max if steps is None else start + steps
        numbers = tf.data.Dataset.range(start + shard, stop, num_shards)
        if steps is None:
            numbers = numbers.apply(
                tf.data.experimental.assert_cardinality(
                    tf.data.experimental.INFINITE_CARDINALITY
                )
            )
        return prefetch(
            numbers.map(
                self.batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )
        )
