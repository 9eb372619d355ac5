"""What a distance of tasks is learned from, and what is held out to judge it by."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Literal

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.seeds import spawn_seeds
from tfmeta.tasks.alike_tasks import alike_by_classes, alike_by_group, any_alike
from tfmeta.tasks.drawn_tasks import DrawnTasks, task_draws

Alike = Literal["group", "classes", "gain"]
# From the number of an epoch to its tasks, and which of them are alike.
Lessons = Callable[[int], tuple[DrawnTasks, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Tasks that a distance is judged by, and others that it is learned from.

    Attributes:
        lessons: What it is learned from.
        known: Tasks that are found.
        asked: Tasks that ask for their nearest; where they are `known`, none is its
            own neighbour.
        alike: Bool `(asked, known)`.
        apart: What the two have not in common, in words.
    """

    lessons: Lessons
    known: DrawnTasks
    asked: DrawnTasks
    alike: np.ndarray
    apart: str


def alike_drawn(alike: Alike, drawn: DrawnTasks) -> np.ndarray:
    """Which drawn tasks are alike; none where that is to be measured."""
    if alike == "group":
        return alike_by_group(drawn.groups)
    if alike == "classes":
        return alike_by_classes(drawn.classes)
    return np.eye(len(drawn), dtype=bool)


def drawn_lessons(draws: Callable[[int], DrawnTasks], alike: Alike) -> Lessons:
    """Tasks that are drawn anew in every epoch.

    Args:
        draws: As of `task_draws`.
        alike: By what they are.
    """
    first = draws(0)
    own = first, alike_drawn(alike, first)

    def lesson(epoch: int) -> tuple[DrawnTasks, np.ndarray]:
        if not epoch:
            return own
        drawn = draws(epoch)
        found = alike_drawn(alike, drawn)
        # Of few tasks there may be none that are alike.
        return (drawn, found) if any_alike(found) else own

    return lesson


def held_out_classes(
    table: ClassTable,
    alike: Alike,
    tasks: int,
    *,
    ways: int,
    shots: int,
    queries: int,
    seed: int,
) -> HeldOut | None:
    """A third of the classes of every group is asked about, the others learned from.

    At least two of each. Where groups have too few classes for that, tasks have fewer
    ways, as many as half of the groups have that are not too small altogether.

    Args:
        table: Of which tasks are drawn.
        alike: By `"group"`, known tasks are those that are learned from; by
            `"classes"` both are of the classes that are held out.
        tasks: How many, of either side.
        ways: Classes of each, at most.
        shots: Support examples of each class.
        queries: Further ones.
        seed: Of the sides and of tasks.

    Returns:
        `None` where there are too few classes.
    """
    if table.groups is None:
        table = dataclasses.replace(table, groups=("",) * table.num_classes)
    sides_seed, *seeds = spawn_seeds(seed, 3, stream="held_out_classes")
    sides = _sides(table, np.random.default_rng(sides_seed))
    if sides is None or ways < 2:
        return None
    of_sides = [_origins_by_group(side) for side in sides]
    # Of how many groups both sides have tasks of so many ways.
    covered = {
        count: sum(all(of[group] >= count for of in of_sides) for group in of_sides[0])
        for count in range(2, ways + 1)
    }
    best = max(count for count in covered if 2 * covered[count] >= covered[2])
    if covered[best] < (2 if alike == "group" else 1):
        return None
    first, second = (
        task_draws(side, tasks, ways=best, shots=shots, queries=queries, seed=own or 0)
        for side, own in zip(sides, seeds, strict=True)
    )
    lessons = _padded(first, ways), _padded(second, ways)
    learned = drawn_lessons(lessons[0], alike)
    known, pairs = learned(0)
    asked = lessons[1](0)
    if not any_alike(pairs):
        return None
    if alike == "group":
        groups = np.asarray(asked.groups)
        found = groups[:, np.newaxis] == np.asarray(known.groups)
    else:
        known, found = asked, alike_drawn(alike, asked)
        if not any_alike(found):
            return None
    return HeldOut(learned, known, asked, found, "class")


def held_out_tasks(
    drawn: DrawnTasks, alike: np.ndarray, *, seed: int
) -> HeldOut | None:
    """Tasks of half of the groups are learned from, the others are asked about.

    Args:
        drawn: Tasks; those of fewer than four groups are halved one by one.
        alike: Bool `(tasks, tasks)`.
        seed: Of the halves.

    Returns:
        `None` where no two tasks of a half are alike.
    """
    rng = np.random.default_rng(spawn_seeds(seed, 1, stream="held_out_tasks")[0])
    names, numbers = np.unique(np.asarray(drawn.groups), return_inverse=True)
    by_groups = len(names) >= 4
    if not by_groups:
        numbers = np.arange(len(drawn))
    order = rng.permutation(numbers.max() + 1)
    second = np.isin(numbers, order[: len(order) // 2])
    halves = [np.flatnonzero(side) for side in (~second, second)]
    pairs = [alike[np.ix_(side, side)] for side in halves]
    if not all(map(any_alike, pairs)):
        return None
    learned, asked = (drawn[side] for side in halves)
    return HeldOut(
        lambda _: (learned, pairs[0]),
        asked,
        asked,
        pairs[1],
        "group" if by_groups else "task",
    )


def _sides(
    table: ClassTable, rng: np.random.Generator
) -> tuple[ClassTable, ClassTable] | None:
    """Classes to learn from, and of every group a third, at least two, to ask about.

    `None` where no group has four. Classes that were made of one stay together.
    """
    groups = dict(zip(table.origins, table.groups or (), strict=True))
    names = list(groups)
    wanted = {
        group: max(2, round(count / 3)) if count >= 4 else 0
        for group, count in Counter(groups.values()).items()
    }
    asked = set()
    for number in rng.permutation(len(names)):
        name = names[number]
        if wanted[groups[name]]:
            wanted[groups[name]] -= 1
            asked.add(name)
    if not asked:
        return None
    held_out = np.array([origin in asked for origin in table.origins])
    return (
        table.take_classes(np.flatnonzero(~held_out).tolist()),
        table.take_classes(np.flatnonzero(held_out).tolist()),
    )


def _origins_by_group(table: ClassTable) -> Counter[str]:
    """How many classes of a group can be in one task."""
    assert table.groups is not None
    return Counter(dict(zip(table.origins, table.groups, strict=True)).values())


def _padded(
    draws: Callable[[int], DrawnTasks], ways: int
) -> Callable[[int], DrawnTasks]:
    """The same tasks with labels of so many ways, which not all of them have."""

    def draw(number: int) -> DrawnTasks:
        drawn = draws(number)
        wide = [(0, 0), (0, 0), (0, ways - drawn.labels.shape[2])]
        return dataclasses.replace(
            drawn,
            labels=np.pad(drawn.labels, wide),
            query_labels=np.pad(drawn.query_labels, wide),
        )

    return draw
