"""Pictures of a task that are none: all of them named, or left out on request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfmeta.classifying.task import Task
from tfmeta.datasets.reading.photographs import read_photograph
from tfmeta.datasets.reading.pictures import ACCEPTED_PICTURE, opened_picture
from tfmeta.datasets.reading.unreadable import (
    find_unreadable,
    left_out,
    refuse_unreadable,
)


def check_heads(task: Task[Path], *, skip_bad: bool) -> tuple[Task[Path], list[str]]:
    """Opens every file of a task, which finds most of what is no picture at once.

    Args:
        task: The task.
        skip_bad: Whether files that cannot be read are left out.

    Returns:
        The task, without what is no picture, and a warning of what was left out.

    Raises:
        ValueError: When some are no pictures and `skip_bad` is False; names all of
            those that cannot be read.
    """
    files = [*task.support, *task.query]
    unreadable = find_no_pictures(files, skip_bad=skip_bad)
    if not unreadable:
        return task, []
    return task.without(unreadable), [left_out(unreadable, len(files))]


def find_no_pictures(files: Sequence[Path], *, skip_bad: bool) -> dict[Path, str]:
    """What is wrong with files that are no pictures, by their heads alone.

    Args:
        files: The files.
        skip_bad: Whether some may be none.

    Raises:
        ValueError: As `check_heads`.
    """
    unreadable = find_unreadable(files, _open)
    if unreadable and not skip_bad:
        # Truncated ones have heads.
        size = (64, 64)
        tried = find_unreadable(files, lambda path: read_photograph(path, size=size))
        refuse_unreadable({**unreadable, **tried}, len(files), ACCEPTED_PICTURE)
    return unreadable


def _open(path: Path) -> None:
    with opened_picture(path):
        pass
