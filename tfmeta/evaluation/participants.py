"""Which classes have a part in an episode, and how that is kept."""

from __future__ import annotations

import numpy as np

from tfmeta.episodes.task_sequence import TaskSequence, classes_of


def all_participants(episodes: TaskSequence, num_episodes: int) -> np.ndarray | None:
    """Class ids of the first episodes: of their ways, and of their distractors.

    Returns:
        Int32 `(num_episodes, ways + distractors)`, -1 where padded; `None` where the
        episodes have no classes.
    """
    classes = classes_of(episodes)
    if classes is None:
        return None
    steps = -(-num_episodes // episodes.tasks)
    batches = [classes.participants(step) for step in range(steps)]
    return np.concatenate(batches)[:num_episodes]


def rows_of(classes: np.ndarray | None) -> list[list[int]] | None:
    """Class ids of each episode as lists, without padding; see `padded_rows`."""
    if classes is None:
        return None
    return [row[row >= 0].tolist() for row in classes]


def padded_rows(rows: list[list[int]] | None) -> np.ndarray | None:
    """Lists of class ids as int32 `(episodes, ways)`, filled up with -1."""
    if rows is None:
        return None
    padded = np.full((len(rows), max(map(len, rows), default=0)), -1, np.int32)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded
