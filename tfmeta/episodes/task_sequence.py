"""What an evaluator needs of a sequence of tasks, whoever made it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from tfmeta.datasets import ClassTable


class TaskSequence(Protocol):
    """Batches of tasks: `Episodes`, `Mixture`, `Sinusoids`, or one's own object.

    An object with a `table` and `class_ids(step)`, int `(tasks, ways)`, -1 where
    padded, has classes besides, and the evaluator then knows which are in a task;
    `origins` says which of the table's a task can have, by default all.
    """

    @property
    def tasks(self) -> int:
        """Tasks per batch."""

    def as_dataset(self, *, steps: int) -> Iterable[tuple]:
        """The first `steps` batches, the same at every call.

        Each `(inputs, y)` or `(inputs, y, sample_weight)`, as of `Episodes`.
        """

    def describe(self) -> dict[str, Any]:
        """The settings that fix the tasks, as plain values."""


@dataclasses.dataclass(frozen=True)
class TaskClasses:
    """The classes of a sequence of tasks.

    Attributes:
        names: All classes; their places number them.
        origins: Class that each was made from.
        emitted: Origins of the classes that a task can have.
        tables: Where they are from.
        of_ways: Of the number of a batch, int32 `(tasks, ways)`, the classes of its
            ways, -1 where padded.
        of_distractors: As `of_ways`, int32 `(tasks, distractors)`, of classes that
            have a part in a task but are none of its ways.
    """

    names: tuple[str, ...]
    origins: tuple[str, ...]
    emitted: frozenset[str]
    tables: tuple[ClassTable, ...]
    of_ways: Callable[[int], np.ndarray]
    of_distractors: Callable[[int], np.ndarray] | None = None

    def participants(self, step: int) -> np.ndarray:
        """Int32 `(tasks, ways + distractors)`: all classes of a batch's tasks."""
        ways = np.asarray(self.of_ways(step))
        if self.of_distractors is None:
            return ways
        return np.concatenate([ways, self.of_distractors(step)], axis=1)


def classes_of(episodes: Any) -> TaskClasses | None:
    """The classes of a sequence of tasks; `None` where it has none.

    Args:
        episodes: A `TaskSequence`. What it knows of its classes it says by a method
            `classes()`, or by `table` and `class_ids(step)`.
    """
    own = getattr(episodes, "classes", None)
    if callable(own):
        return own()
    table, ids = (getattr(episodes, name, None) for name in ("table", "class_ids"))
    if table is None or ids is None:
        return None
    return TaskClasses(
        names=table.class_names,
        origins=table.origins,
        emitted=frozenset(getattr(episodes, "origins", table.origins)),
        tables=(table,),
        of_ways=ids,
        of_distractors=getattr(episodes, "distractor_ids", None),
    )


def check_task_sequence(episodes: Any) -> None:
    """Checks that an object is a `TaskSequence`.

    Raises:
        TypeError: When it lacks something; names it.
    """
    names = ("tasks", "as_dataset", "describe")
    missing = [name for name in names if not hasattr(episodes, name)]
    if missing:
        raise TypeError(
            "`episodes` must have `tasks`, `as_dataset(steps=)` and `describe()`. "
            f"Received: {type(episodes).__name__}, without {', '.join(missing)}"
        )
