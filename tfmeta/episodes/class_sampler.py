"""Draws the classes of an episode, without replacement."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable


def _padded(rows: list[list[int]]) -> np.ndarray:
    """Rows of unequal length as one matrix, -1 where a row has ended."""
    matrix = np.full((len(rows), max(map(len, rows))), -1, np.int32)
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row
    return matrix


class ClassSampler:
    """Draws `ways` different classes for each task.

    Classes are drawn by way of their origin (a rotation's origin is the
    character it was made from), so that two classes of one origin never meet
    unless `allow_same_origin`. With `same_group`, a group is drawn first,
    uniformly, and then all classes from it.

    Args:
        table: The class table.
        ways: Classes per task; the largest number where it varies.
        same_group: Whether the classes of a task share one group.
        allow_same_origin: Whether classes of one origin may meet in a task.

    Attributes:
        left_out_groups: Names of the groups that hold fewer classes (origins)
            than `ways` and are never drawn from.
        class_ids: Sorted ids of the classes that can be drawn.
    """

    def __init__(
        self,
        table: ClassTable,
        ways: int,
        *,
        same_group: bool = False,
        allow_same_origin: bool = False,
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

        self.left_out_groups = tuple(
            name for name, inside in members.items() if len(inside) < ways
        )
        kept = [inside for inside in members.values() if len(inside) >= ways]
        if not kept:
            largest = max(len(inside) for inside in members.values())
            kind = "classes" if allow_same_origin else "classes of different origin"
            where = f"one {table.group_level} of table" if same_group else "table"
            raise ValueError(
                f"`ways` must be at most the number of {kind} in {where} "
                f"{table.name!r}, which is {largest}. Received: ways={ways}"
            )
        variants = [ids for inside in kept for ids in inside.values()]
        self.class_ids = tuple(sorted(c for ids in variants for c in ids))
        starts = np.cumsum([0] + [len(inside) for inside in kept])
        self._ways = ways
        self._origins_of_group = _padded(
            [list(range(a, b)) for a, b in zip(starts[:-1], starts[1:], strict=True)]
        )
        self._classes_of_origin = _padded(variants)
        self._variants = np.array([len(ids) for ids in variants], np.float32)

    def draw(
        self, tasks: int, streams: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
    ) -> tf.Tensor:
        """Int32 tensor of shape `(tasks, ways)`: class ids."""
        group_stream, origin_stream, variant_stream = streams
        num_groups, width = self._origins_of_group.shape
        group = tf.random.stateless_uniform(
            [tasks], group_stream, 0, num_groups, tf.int32
        )
        candidates = tf.gather(self._origins_of_group, group)
        # The largest of independent uniform numbers are a draw without
        # replacement; padding gets -1 and is never among them.
        noise = tf.random.stateless_uniform([tasks, width], origin_stream)
        noise = tf.where(candidates >= 0, noise, -1.0)
        picks = tf.math.top_k(noise, self._ways).indices
        origin = tf.gather(candidates, picks, batch_dims=1)
        noise = tf.random.stateless_uniform([tasks, self._ways], variant_stream)
        variant = tf.cast(noise * tf.gather(self._variants, origin), tf.int32)
        return tf.gather_nd(
            self._classes_of_origin, tf.stack([origin, variant], axis=-1)
        )
