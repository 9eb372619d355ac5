"""Draws which classes and examples make up the tasks of a batch."""

from __future__ import annotations

import logging
from typing import NamedTuple

import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes.class_proportions import draw_dirichlet_counts
from tfmeta.episodes.class_sampler import ClassSampler
from tfmeta.episodes.settings import EpisodeSettings
from tfmeta.episodes.streams import EpisodeStreams
from tfmeta.episodes.without_replacement import draw_further, draw_without_replacement

_logger = logging.getLogger(__name__)


class EpisodeIndices(NamedTuple):
    """Which classes and examples make up one batch of tasks.

    Attributes:
        classes: Int32 `(tasks, ways)`: class ids.
        support: Int64 `(tasks, ways, shots)`: rows of the table's examples.
        query: Int64 `(tasks, ways, queries)`: rows of the table's examples, in the
            order of their ways.
        query_ways: Int32 `(tasks, ways, queries)`: the way of each query.
        support_mask: Bool `(tasks, ways, shots)`: False is padding.
        query_mask: Bool `(tasks, ways, queries)`: False is padding.
        distractors: Int32 `(tasks, distractors)`: class ids.
        unlabelled: Int64 `(tasks, (ways + distractors) * unlabelled)`: rows of
            the table's examples, shuffled, padding last.
        unlabelled_mask: Bool, of the shape of `unlabelled`: False is padding.
    """

    classes: tf.Tensor
    support: tf.Tensor
    query: tf.Tensor
    query_ways: tf.Tensor
    support_mask: tf.Tensor
    query_mask: tf.Tensor
    distractors: tf.Tensor
    unlabelled: tf.Tensor
    unlabelled_mask: tf.Tensor

    @property
    def way_ids(self) -> tf.Tensor:
        """Int32 `(tasks, ways)`: class ids, -1 where padded."""
        return tf.where(self.query_mask[:, :, 0], self.classes, -1)


class IndexSampler:
    """Draws the classes and examples of batches from a class table.

    Args:
        table: The class table.
        settings: What a task consists of.

    Attributes:
        left_out_groups: Names of the groups that are too small to draw from.
        class_ids: Sorted ids of the classes that can be drawn.

    Raises:
        ValueError: When there are too few classes, or a class has too few
            examples.
    """

    def __init__(self, table: ClassTable, settings: EpisodeSettings) -> None:
        self._table = table
        self._settings = settings
        self._classes = ClassSampler(
            table,
            settings.most_ways,
            same_group=settings.same_group,
            allow_same_origin=settings.allow_same_origin,
            distractors=settings.distractors,
        )
        self.left_out_groups = self._classes.left_out_groups
        self.class_ids = self._classes.class_ids
        if self.left_out_groups:
            needed = f"ways={settings.most_ways}"
            if settings.distractors:
                needed = f"ways + distractors = {settings.most_ways} + "
                needed += f"{settings.distractors}"
            _logger.warning(
                "%d of the %ss of table %r have fewer than %s classes and are left "
                "out: %s",
                len(self.left_out_groups),
                table.group_level,
                table.name,
                needed,
                ", ".join(self.left_out_groups),
            )
        self._check_sizes()

    def _check_sizes(self) -> None:
        settings, table = self._settings, self._table
        parts = {"shots": settings.most_shots}
        if settings.query_dirichlet is None:
            parts["queries"] = settings.queries
        else:
            parts["ways * queries"] = settings.most_queries_of_a_class
        if settings.unlabelled:
            parts["unlabelled"] = settings.unlabelled
        names, numbers = " + ".join(parts), " + ".join(map(str, parts.values()))
        needed = sum(parts.values())
        for class_id in self.class_ids:
            size = int(table.class_sizes[class_id])
            if size < needed:
                raise ValueError(
                    f"`{names}` must be at most the number of examples of every class "
                    f"of table {table.name!r}. Received: `{names}` = {numbers} = "
                    f"{needed}, and class {table.class_names[class_id]!r} has {size}"
                )

    def draw(self, streams: EpisodeStreams) -> EpisodeIndices:
        """The classes and examples of the batch with these streams."""
        settings = self._settings
        tasks, ways, shots = settings.tasks, settings.most_ways, settings.most_shots
        drawn = self._classes.draw(
            tasks,
            (
                streams.group,
                streams.origins,
                streams.variants,
                streams.distractor_origins,
                streams.distractor_variants,
            ),
        )
        classes, distractors = drawn[:, :ways], drawn[:, ways:]
        picks = draw_without_replacement(
            self._sizes(classes),
            self._largest,
            shots + settings.queries,
            streams.examples,
        )
        rows = self._rows(classes, picks)
        task_ways = _draw_range(settings.ways, [tasks], streams.ways)
        way_is_real = tf.range(ways) < task_ways[:, None]
        shots_shape = [tasks, 1] if settings.balanced else [tasks, ways]
        class_shots = _draw_range(settings.shots, shots_shape, streams.shots)
        shot_is_real = tf.range(shots) < class_shots[:, :, None]
        unlabelled, unlabelled_mask = self._draw_unlabelled(
            classes, picks, way_is_real, distractors, streams
        )
        query, query_ways = self._draw_queries(classes, picks, rows, streams)
        return EpisodeIndices(
            classes=classes,
            support=rows[..., :shots],
            query=query,
            query_ways=query_ways,
            support_mask=way_is_real[:, :, None] & shot_is_real,
            query_mask=tf.repeat(way_is_real[:, :, None], settings.queries, axis=2),
            distractors=distractors,
            unlabelled=unlabelled,
            unlabelled_mask=unlabelled_mask,
        )

    def _draw_queries(
        self,
        classes: tf.Tensor,
        picks: tf.Tensor,
        rows: tf.Tensor,
        streams: EpisodeStreams,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Rows `(tasks, ways, queries)` of the queries, and the way of each."""
        settings = self._settings
        tasks, ways, queries = settings.tasks, settings.most_ways, settings.queries
        rows = rows[..., settings.most_shots :]
        if settings.query_dirichlet is None:
            each = tf.range(ways)[:, None]
            return rows, tf.broadcast_to(each, [tasks, ways, queries])
        counts = draw_dirichlet_counts(
            tasks,
            ways,
            ways * queries,
            settings.query_dirichlet,
            streams.query_counts,
        )
        # Every class has its usual queries and all others that it might need.
        most = settings.most_queries_of_a_class
        further = draw_further(
            picks,
            self._sizes(classes),
            self._largest,
            most - queries,
            streams.further_queries,
        )
        rows = tf.concat([rows, self._rows(classes, further)], axis=-1)
        taken = tf.range(most) < counts[:, :, None]
        shape = [tasks, ways, queries]
        way = tf.broadcast_to(tf.range(ways)[:, None], [tasks, ways, most])
        return (
            tf.reshape(tf.boolean_mask(rows, taken), shape),
            tf.reshape(tf.boolean_mask(way, taken), shape),
        )

    def _draw_unlabelled(
        self,
        classes: tf.Tensor,
        taken: tf.Tensor,
        way_is_real: tf.Tensor,
        distractors: tf.Tensor,
        streams: EpisodeStreams,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Rows `(tasks, unlabelled of all classes)`, shuffled, and their mask."""
        tasks, count = self._settings.tasks, self._settings.unlabelled
        if not count:
            return tf.zeros([tasks, 0], tf.int64), tf.zeros([tasks, 0], tf.bool)
        picks = draw_further(
            taken, self._sizes(classes), self._largest, count, streams.unlabelled
        )
        rows = tf.reshape(self._rows(classes, picks), [tasks, -1])
        mask = tf.repeat(way_is_real, count, axis=1)
        if self._settings.distractors:
            picks = draw_without_replacement(
                self._sizes(distractors),
                self._largest,
                count,
                streams.distractor_examples,
            )
            further = tf.reshape(self._rows(distractors, picks), [tasks, -1])
            rows = tf.concat([rows, further], axis=1)
            mask = tf.concat([mask, tf.ones_like(further, tf.bool)], axis=1)
        noise = tf.random.stateless_uniform(rows.shape, streams.unlabelled_order)
        order = tf.argsort(tf.where(mask, noise, 1.0), axis=1)
        return (
            tf.gather(rows, order, batch_dims=1),
            tf.gather(mask, order, batch_dims=1),
        )

    @property
    def _largest(self) -> int:
        return int(self._table.class_sizes.max())

    def _sizes(self, classes: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.gather(self._table.class_sizes, classes), [-1])

    def _rows(self, classes: tf.Tensor, picks: tf.Tensor) -> tf.Tensor:
        """Rows of the table `(tasks, classes, examples)` from numbers in a class."""
        picks = tf.reshape(picks, [*classes.shape, picks.shape[-1]])
        return tf.gather(self._table.offsets, classes)[..., None] + tf.cast(
            picks, tf.int64
        )


def _draw_range(
    pair: tuple[int, int], shape: list[int], stream: tf.Tensor
) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, stream, pair[0], pair[1] + 1, tf.int32)
