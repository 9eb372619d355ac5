"""Files that cannot be read: all of them named, or left out on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tfmeta.classifying.task import Task
from tfmeta.datasets.reading.photographs import read_photograph
from tfmeta.datasets.reading.pictures import FORMATS, UnreadablePicture, opened_picture


def find_unreadable(
    files: Sequence[Path], read: Callable[[Path], Any]
) -> dict[Path, str]:
    """Reads every file once and keeps none.

    Args:
        files: The files.
        read: What is tried.

    Returns:
        What is wrong, by file, of those that `read` refuses.
    """

    def try_one(path: Path) -> str | None:
        try:
            read(path)
        except (UnreadablePicture, OSError) as error:
            return reason_of(error)
        return None

    with ThreadPoolExecutor() as pool:
        reasons = pool.map(try_one, files)
        return {p: r for p, r in zip(files, reasons, strict=True) if r is not None}


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
    unreadable = find_unreadable(files, _open)
    if not unreadable:
        return task, []
    if not skip_bad:
        # Truncated ones have heads.
        size = (64, 64)
        tried = find_unreadable(files, lambda path: read_photograph(path, size=size))
        refuse_unreadable({**unreadable, **tried}, len(files))
    return task.without(unreadable), [left_out(unreadable, len(files))]


def _open(path: Path) -> None:
    with opened_picture(path):
        pass


def reason_of(error: UnreadablePicture | OSError) -> str:
    """What is wrong with a file, without its name."""
    if isinstance(error, UnreadablePicture):
        return error.reason
    return error.strerror or str(error)


def refuse_unreadable(reasons: Mapping[Path, str], total: int) -> None:
    """Names all files that cannot be read.

    Args:
        reasons: What is wrong, by file.
        total: How many files there are.

    Raises:
        ValueError: When there is one.
    """
    if not reasons:
        return
    if len(reasons) == 1:
        ((path, reason),) = reasons.items()
        said = f"picture {str(path)!r} must be a whole, readable file of one of "
        said += f"{', '.join(FORMATS)}. Received: {reason}; --skip-bad leaves it out"
    else:
        said = (
            f"all {total:,} pictures must be whole, readable files of one of "
            f"{', '.join(FORMATS)}. Received: {len(reasons):,} that are not, "
            + ", ".join(f"{str(path)!r} ({why})" for path, why in reasons.items())
            + "; --skip-bad leaves them out"
        )
    raise ValueError(said)


def left_out(reasons: Mapping[Path, str], total: int) -> str:
    """A sentence on files that were left out, with the first of them."""
    shown = ", ".join(f"{str(p)!r} ({why})" for p, why in [*reasons.items()][:3])
    more = f" and {len(reasons) - 3:,} more" if len(reasons) > 3 else ""
    verb = "is" if len(reasons) == 1 else "are"
    return f"{len(reasons):,} of {total:,} pictures {verb} left out: {shown}{more}"
