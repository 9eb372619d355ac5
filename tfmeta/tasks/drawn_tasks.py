"""Tasks that are drawn from a table, each of the classes of one group."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.episodes import Episodes

# Tasks whose examples are gathered at once.
_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class DrawnTasks:
    """Many tasks, each of some classes of one group.

    Attributes:
        support: `(tasks, support, *example)`.
        labels: One-hot float32 `(tasks, support, ways)`.
        query: `(tasks, queries, *example)`.
        query_labels: One-hot float32 `(tasks, queries, ways)`.
        groups: Of each the name of its group; empty where the table has none.
        class_ids: Int `(tasks, ways)`, the rows of the table.
        classes: Names of these classes.
    """

    support: np.ndarray
    labels: np.ndarray
    query: np.ndarray
    query_labels: np.ndarray
    groups: tuple[str, ...]
    class_ids: np.ndarray
    classes: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, tasks: slice | np.ndarray) -> DrawnTasks:
        chosen = np.arange(len(self))[tasks]
        return DrawnTasks(
            self.support[chosen],
            self.labels[chosen],
            self.query[chosen],
            self.query_labels[chosen],
            tuple(self.groups[task] for task in chosen),
            self.class_ids[chosen],
            tuple(self.classes[task] for task in chosen),
        )


def task_draws(
    table: ClassTable,
    count: int,
    *,
    ways: int = 5,
    shots: int = 5,
    queries: int = 15,
    seed: int = 0,
) -> Callable[[int], DrawnTasks]:
    """As `draw_tasks`, which is the first of these draws.

    Returns:
        From the number of a draw, at least 0, to its tasks.
    """
    at_once = min(count, _AT_ONCE)
    steps = -(-count // at_once)
    episodes = Episodes(
        table,
        ways=ways,
        shots=shots,
        queries=queries,
        tasks=at_once,
        same_group=table.groups is not None,
        seed=seed,
    )

    def draw(number: int) -> DrawnTasks:
        parts, ids = [], []
        for step in range(number * steps, (number + 1) * steps):
            inputs, wanted = episodes.batch(step)
            one_hot = np.eye(ways, dtype=np.float32)[np.asarray(wanted)]
            parts.append(
                [
                    np.asarray(part)
                    for part in (
                        inputs["support"],
                        inputs["support_labels"],
                        inputs["query"],
                        one_hot,
                    )
                ]
            )
            ids.append(episodes.class_ids(step))
        class_ids = np.concatenate(ids)[:count]
        support, labels, query, query_labels = (
            np.concatenate(part)[:count] for part in zip(*parts, strict=True)
        )
        groups, names = table.groups, table.class_names
        return DrawnTasks(
            support,
            labels,
            query,
            query_labels,
            tuple("" if groups is None else groups[c[0]] for c in class_ids),
            class_ids,
            tuple(tuple(names[c] for c in chosen) for chosen in class_ids),
        )

    return draw


def draw_tasks(
    table: ClassTable,
    count: int,
    *,
    ways: int = 5,
    shots: int = 5,
    queries: int = 15,
    seed: int = 0,
) -> DrawnTasks:
    """Draws tasks; groups of fewer classes than `ways` have none.

    Args:
        table: Where they come from. With groups, the classes of a task are of one.
        count: How many tasks.
        ways: Classes of each.
        shots: Support examples of each class.
        queries: Queries of each class.
        seed: They are a function of it.

    Raises:
        ValueError: As `Episodes`.
    """
    of = {"ways": ways, "shots": shots, "queries": queries}
    return task_draws(table, count, seed=seed, **of)(0)


def halved_groups(table: ClassTable, *, seed: int = 0) -> tuple[ClassTable, ClassTable]:
    """Two tables of the same groups that share no class, and none of one origin.

    The classes of every group are dealt out in a seeded order, so that both sides have
    tasks of every group, and none has an example of the other.

    Args:
        table: With groups.
        seed: Of the order.

    Raises:
        ValueError: When the table has no groups.
    """
    if table.groups is None:
        raise ValueError(
            f"`table` must have groups of classes. Received: {table.name}, without"
        )
    # Classes that were made of one, as its rotations, stay together.
    origins = dict(zip(table.origins, table.groups, strict=True))
    names = list(origins)
    side_of: dict[str, int] = {}
    dealt: dict[str, int] = {}
    for number in np.random.default_rng(seed).permutation(len(names)):
        group = origins[names[number]]
        side_of[names[number]] = dealt.get(group, 0) % 2
        dealt[group] = dealt.get(group, 0) + 1
    sides: tuple[list[int], list[int]] = ([], [])
    for number, origin in enumerate(table.origins):
        sides[side_of[origin]].append(number)
    first, second = (table.take_classes(side) for side in sides)
    return first, second
