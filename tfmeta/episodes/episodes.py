"""From a class table to a `tf.data` stream of tasks."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes.arguments import check_count, check_range
from tfmeta.episodes.class_sampler import ClassSampler
from tfmeta.episodes.streams import check_seed, step_streams
from tfmeta.episodes.without_replacement import draw_without_replacement

Augmentation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_logger = logging.getLogger(__name__)


class EpisodeIndices(NamedTuple):
    """Which classes and examples make up one batch of tasks.

    Attributes:
        classes: Int32 `(tasks, ways)`: class ids.
        support: Int64 `(tasks, ways, shots)`: rows of the table's examples.
        query: Int64 `(tasks, ways, queries)`: rows of the table's examples.
        support_mask: Bool `(tasks, ways, shots)`: False is padding.
        query_mask: Bool `(tasks, ways, queries)`: False is padding.
    """

    classes: tf.Tensor
    support: tf.Tensor
    query: tf.Tensor
    support_mask: tf.Tensor
    query_mask: tf.Tensor


class Episodes:
    """A sequence of batches of few-shot tasks, drawn from a class table.

    Batch number `step` is a pure function of `(seed, step)`: any step is
    reached at once, the same seed gives the same episodes in every process,
    and an evaluation set is one seed. Classes are drawn without replacement
    and uniformly, examples of a class likewise, and every class of a task has
    the same number of shots and of queries.

    Args:
        table: The class table.
        ways: Classes per task. A pair `(smallest, largest)` lets it vary from
            task to task, uniformly.
        shots: Support examples per class; a pair lets it vary.
        queries: Query examples per class.
        tasks: Tasks per batch.
        seed: Int of at least 0.
        same_group: Whether all classes of a task come from one group (for
            Omniglot one alphabet). Groups are drawn uniformly; those with
            fewer classes than `ways` are left out, and named in
            `left_out_groups` and in a log warning.
        allow_same_origin: Whether classes made from one class (the rotations
            of a character) may meet in a task.
        augment: A function `(examples, stream) -> examples` over a batch of
            examples, such as `RandomAffine`, that draws from the stateless seed
            `stream` alone. Applied to support and query independently.

    Raises:
        ValueError: When an argument is out of range, when a class has fewer
            examples than `shots + queries`, or when there are fewer classes
            than `ways`.

    Example:

    ```python
    table = tfmeta.datasets.load("glyphs", split="train")
    episodes = tfmeta.episodes.Episodes(table, ways=20, shots=1, queries=5)
    learner.fit(episodes.as_dataset(), steps_per_epoch=100)
    ```
    """

    def __init__(
        self,
        table: ClassTable,
        *,
        ways: int | Sequence[int] = 5,
        shots: int | Sequence[int] = 1,
        queries: int = 15,
        tasks: int = 1,
        seed: int = 0,
        same_group: bool = False,
        allow_same_origin: bool = False,
        augment: Augmentation | None = None,
    ) -> None:
        self.table = table
        self.augment = augment
        self._ways_range = check_range("ways", ways, 2)
        self._shots_range = check_range("shots", shots, 1)
        self.queries = check_count("queries", queries, 1)
        self.tasks = check_count("tasks", tasks, 1)
        self.seed = check_seed(seed)
        self.same_group = same_group
        self.allow_same_origin = allow_same_origin

        self._sampler = ClassSampler(
            table,
            self.ways,
            same_group=same_group,
            allow_same_origin=allow_same_origin,
        )
        if self.left_out_groups:
            _logger.warning(
                "%d of the %ss of table %r have fewer than ways=%d classes and are "
                "left out: %s",
                len(self.left_out_groups),
                table.group_level,
                table.name,
                self.ways,
                ", ".join(self.left_out_groups),
            )
        needed = self.shots + self.queries
        for class_id in self._sampler.class_ids:
            size = int(table.class_sizes[class_id])
            if size < needed:
                raise ValueError(
                    f"`shots + queries` must be at most the number of examples of "
                    f"every class of table {table.name!r}. Received: shots + "
                    f"queries = {self.shots} + {self.queries} = {needed}, and class "
                    f"{table.class_names[class_id]!r} has {size}"
                )

    @property
    def ways(self) -> int:
        """Classes per task; the largest number where it varies."""
        return self._ways_range[1]

    @property
    def shots(self) -> int:
        """Support examples per class; the largest number where it varies."""
        return self._shots_range[1]

    @property
    def padded(self) -> bool:
        """Whether ways or shots vary, so that batches carry masks."""
        return self._varies(self._ways_range) or self._varies(self._shots_range)

    @property
    def left_out_groups(self) -> tuple[str, ...]:
        """Names of the groups that are too small to draw a task from."""
        return self._sampler.left_out_groups

    @property
    def origins(self) -> frozenset[str]:
        """Origins of all classes that these episodes can emit."""
        return frozenset(self.table.origins[c] for c in self._sampler.class_ids)

    @staticmethod
    def _varies(pair: tuple[int, int]) -> bool:
        return pair[0] != pair[1]

    def describe(self) -> dict[str, Any]:
        """The settings that, with the table, fix the episodes; plain values."""
        return {
            "ways": _plain(self._ways_range),
            "shots": _plain(self._shots_range),
            "queries": self.queries,
            "tasks": self.tasks,
            "seed": self.seed,
            "same_group": self.same_group,
            "allow_same_origin": self.allow_same_origin,
            "augment": None if self.augment is None else repr(self.augment),
        }

    def with_examples(self, examples: np.ndarray) -> Episodes:
        """The same episodes over other examples, row by row those of the table.

        With embeddings in place of pictures, an evaluation encodes each
        picture once.
        """
        return Episodes(
            dataclasses.replace(self.table, examples=examples),
            ways=self._ways_range,
            shots=self._shots_range,
            queries=self.queries,
            tasks=self.tasks,
            seed=self.seed,
            same_group=self.same_group,
            allow_same_origin=self.allow_same_origin,
            augment=self.augment,
        )

    def check_disjoint(self, *others: Episodes) -> None:
        """Proves that no class of these episodes occurs in the others.

        Classes made from one class count as that class, so that a character
        in training and its rotation in test do not pass.

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

    def indices(self, step: int | tf.Tensor) -> EpisodeIndices:
        """The classes and examples of batch `step`; works in a graph."""
        streams = self._streams(step)
        classes = self._sampler.draw(self.tasks, (streams[0], streams[1], streams[2]))
        picks = draw_without_replacement(
            tf.reshape(tf.gather(self.table.class_sizes, classes), [-1]),
            int(self.table.class_sizes.max()),
            self.shots + self.queries,
            streams[3],
        )
        picks = tf.reshape(picks, [self.tasks, self.ways, self.shots + self.queries])
        rows = tf.gather(self.table.offsets, classes)[..., None] + tf.cast(
            picks, tf.int64
        )
        task_ways = self._draw_range(self._ways_range, streams[4])
        task_shots = self._draw_range(self._shots_range, streams[5])
        way_is_real = tf.range(self.ways) < task_ways[:, None]
        shot_is_real = tf.range(self.shots) < task_shots[:, None]
        return EpisodeIndices(
            classes=classes,
            support=rows[..., : self.shots],
            query=rows[..., self.shots :],
            support_mask=way_is_real[:, :, None] & shot_is_real[:, None, :],
            query_mask=tf.repeat(way_is_real[:, :, None], self.queries, axis=2),
        )

    def _streams(self, step: int | tf.Tensor) -> list[tf.Tensor]:
        number = tf.convert_to_tensor(step, None if tf.is_tensor(step) else tf.int64)
        if not number.dtype.is_integer:
            raise TypeError(f"`step` must be an integer. Received: {number.dtype.name}")
        return step_streams(self.seed, number, 8)

    def _augmented(self, examples: tf.Tensor, stream: tf.Tensor) -> tf.Tensor:
        assert self.augment is not None
        flat = tf.reshape(examples, [-1, *examples.shape[2:]])
        return tf.reshape(self.augment(flat, stream), examples.shape)

    def _draw_range(self, pair: tuple[int, int], stream: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform(
            [self.tasks], stream, pair[0], pair[1] + 1, tf.int32
        )

    def class_ids(self, step: int) -> np.ndarray:
        """Int32 `(tasks, ways)`: class ids of batch `step`, -1 where padded."""
        with tf.device("CPU"):
            return self._class_ids(tf.constant(step, tf.int64)).numpy()

    @functools.cached_property
    def _class_ids(self) -> Callable[[tf.Tensor], tf.Tensor]:
        # A graph, because every step of an evaluation asks for them.
        @tf.function
        def class_ids(step: tf.Tensor) -> tf.Tensor:
            drawn = self.indices(step)
            return tf.where(drawn.query_mask[:, :, 0], drawn.classes, -1)

        return class_ids

    @functools.cached_property
    def _examples(self) -> tf.Tensor:
        # One copy for all data sets and batches, and in the memory of the host,
        # where `tf.data` runs.
        with tf.init_scope(), tf.device("CPU"):
            return tf.convert_to_tensor(self.table.examples)

    def batch(self, step: int | tf.Tensor) -> tuple:
        """Batch `step` as `(inputs, y)` or `(inputs, y, sample_weight)`."""
        return self._make_batch(step, self._gather_from_memory())

    def _gather_from_memory(self) -> Callable[[tf.Tensor], tf.Tensor]:
        examples = self._examples
        return lambda rows: tf.gather(examples, rows)

    def _make_batch(
        self, step: int | tf.Tensor, gather: Callable[[tf.Tensor], tf.Tensor]
    ) -> tuple:
        drawn = self.indices(step)
        tasks, ways, shots, queries = self.tasks, self.ways, self.shots, self.queries
        support = gather(tf.reshape(drawn.support, [tasks, ways * shots]))
        query = gather(tf.reshape(drawn.query, [tasks, ways * queries]))
        if self.augment is not None:
            streams = self._streams(step)
            support = self._augmented(support, streams[6])
            query = self._augmented(query, streams[7])
        way = tf.range(ways)
        support_labels = tf.broadcast_to(
            tf.one_hot(tf.repeat(way, shots), ways), [tasks, ways * shots, ways]
        )
        y = tf.broadcast_to(tf.repeat(way, queries), [tasks, ways * queries])
        inputs = {"support": support, "support_labels": support_labels, "query": query}
        if not self.padded:
            return inputs, y
        mask = tf.reshape(drawn.support_mask, [tasks, ways * shots])
        inputs["support"] = _blank(support, mask)
        inputs["support_labels"] = _blank(support_labels, mask)
        inputs["support_mask"] = mask
        if not self._varies(self._ways_range):
            return inputs, y
        query_mask = tf.reshape(drawn.query_mask, [tasks, ways * queries])
        inputs["query"] = _blank(query, query_mask)
        inputs["query_mask"] = query_mask
        return inputs, _blank(y, query_mask), tf.cast(query_mask, tf.float32)

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
            A data set of `(inputs, y)`, or of `(inputs, y, sample_weight)`
            when ways vary. `inputs["support"]` has shape `(tasks, ways *
            shots, *example)` and the table's dtype, `inputs["support_labels"]`
            `(tasks, ways * shots, ways)` float32 one-hot, `inputs["query"]`
            `(tasks, ways * queries, *example)`; `y` `(tasks, ways * queries)`
            int32. When ways or shots vary, `inputs["support_mask"]` and, for
            ways, `inputs["query_mask"]` say which rows are real.
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
        gather = self._gather_from_memory()
        return numbers.map(
            lambda step: self._make_batch(step, gather),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        ).prefetch(tf.data.AUTOTUNE)


def _plain(pair: tuple[int, int]) -> int | list[int]:
    return pair[0] if pair[0] == pair[1] else list(pair)


def _blank(rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """`rows` with zeros where `mask` is False."""
    mask = tf.reshape(mask, mask.shape + [1] * (len(rows.shape) - len(mask.shape)))
    return tf.where(mask, rows, tf.zeros_like(rows))
