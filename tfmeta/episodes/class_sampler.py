"""Draws the classes of an episode, without replacement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes.without_replacement import draw_further, draw_without_replacement


def _padded(rows: list[list[int]]) -> np.ndarray:
    """Rows of unequal length as one matrix, -1 where a row has ended."""
    matrix = np.full((len(rows), max(map(len, rows))), -1, np.int32)
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row
    return matrix


class ClassSampler:
    """Draws `ways` different classes for each task, and distractors.

    Classes are drawn by way of their origin (a rotation's origin is the
    character it was made from), so that two classes of one origin never meet
    unless `allow_same_origin`. With `same_group`, a group is drawn first,
    uniformly, and then all classes from it.

    Args:
        table: The class table.
        ways: Classes per task; the largest number where it varies.
        same_group: Whether the classes of a task share one group.
        allow_same_origin: Whether classes of one origin may meet in a task.
        distractors: Further classes per task, drawn from those that are left.
            The `ways` are the same with and without them.

    Attributes:
        left_out_groups: Names of the groups that hold fewer classes (origins)
            than `ways + distractors` and are never drawn from.
        class_ids: Sorted ids of the classes that can be drawn.
    """

    def __init__(
        self,
        table: ClassTable,
        ways: int,
        *,
        same_group: bool = False,
        allow_same_origin: bool = False,
        distractors: int = 0,
    ) -> None:
        if same_group and table.groups is None:
            raise ValueError(
                "`same_group=True` needs a table with groups. Received: table "
                f"{table.name!r}, which has none"
            )
        origins = table.class_names if allow_same_origin else table.origins
        groups: tuple[str, ...] = ("",) * table.num_classes
        if same_group and table.groups is not None:
            groups = table.groups
        members: dict[str, dict[str, list[int]]] = {}
        for class_id, (group, origin) in enumerate(zip(groups, origins, strict=True)):
            members.setdefault(group, {}).setdefault(origin, []).append(class_id)

        needed = ways + distractors
        self.left_out_groups = tuple(
            name for name, inside in members.items() if len(inside) < needed
        )
        kept = [inside for inside in members.values() if len(inside) >= needed]
        if not kept:
            largest = max(len(inside) for inside in members.values())
            kind = "classes" if allow_same_origin else "classes of different origin"
            where = f"one {table.group_level} of table" if same_group else "table"
            name, received = "ways", f"ways={ways}"
            if distractors:
                name = "ways + distractors"
                received = f"{name} = {ways} + {distractors} = {needed}"
            raise ValueError(
                f"`{name}` must be at most the number of {kind} in {where} "
                f"{table.name!r}, which is {largest}. Received: {received}"
            )
        variants = [ids for inside in kept for ids in inside.values()]
        self.class_ids = tuple(sorted(c for ids in variants for c in ids))
        starts = np.cumsum([0] + [len(inside) for inside in kept])
        self._ways = ways
        self._distractors = distractors
        self._group_starts = starts[:-1].astype(np.int32)
        self._group_sizes = np.diff(starts).astype(np.int32)
        self._classes_of_origin = _padded(variants)
        self._variants = np.array([len(ids) for ids in variants], np.float32)

    def draw(self, tasks: int, streams: Sequence[tf.Tensor]) -> tf.Tensor:
        """Int32 tensor of shape `(tasks, ways + distractors)`: class ids.

        Args:
            tasks: Number of tasks.
            streams: Stateless seeds of shape (2,): for the groups, the origins
                and the variants; for distractors two more, for their origins
                and their variants.
        """
        group_stream, origin_stream, variant_stream = streams[:3]
        group = tf.random.stateless_uniform(
            [tasks], group_stream, 0, len(self._group_sizes), tf.int32
        )
        sizes = tf.gather(self._group_sizes, group)
        largest = int(self._group_sizes.max())
        picks = draw_without_replacement(sizes, largest, self._ways, origin_stream)
        noise = tf.random.stateless_uniform([tasks, self._ways], variant_stream)
        if self._distractors:
            origin_stream, variant_stream = streams[3:]
            further = draw_further(
                picks, sizes, largest, self._distractors, origin_stream
            )
            picks = tf.concat([picks, further], axis=1)
            further_noise = tf.random.stateless_uniform(
                [tasks, self._distractors], variant_stream
            )
            noise = tf.concat([noise, further_noise], axis=1)
        # Origins are numbered group by group.
        origin = tf.gather(self._group_starts, group)[:, None] + picks
        variant = tf.cast(noise * tf.gather(self._variants, origin), tf.int32)
        return tf.gather_nd(
            self._classes_of_origin, tf.stack([origin, variant], axis=-1)
        )
