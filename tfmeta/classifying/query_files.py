"""The files to classify, with or without their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from tfmeta.classifying.task import number_labels
from tfmeta.datasets.own.class_folders import list_class_files, list_files
from tfmeta.datasets.reading.unreadable import (
    UnreadableFile,
    find_unreadable,
    left_out,
    refuse_unreadable,
)

Content = TypeVar("Content")


@dataclasses.dataclass(frozen=True)
class QueryFiles:
    """Files of queries.

    Attributes:
        paths: The files.
        names: Their paths below the folder, with slashes.
        labels: Int32 `(queries,)`: class of each, -1 for one that the support does
            not have; `None` where the folder does not say.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    labels: np.ndarray | None

    @classmethod
    def found(
        cls,
        path: Path,
        class_names: Sequence[str],
        *,
        unknown_classes: bool,
        named_by: str = "the support",
        what: str = "picture",
    ) -> QueryFiles:
        """One file, those of a folder, or of its sub-folders, one for each class.

        Args:
            path: The file or folder.
            class_names: Classes of the support.
            unknown_classes: Whether sub-folders may have other names.
            named_by: Whose classes they are, for the messages.
            what: What each file holds, for the messages.

        Raises:
            FileNotFoundError: When nothing is there.
            ValueError: When a folder holds no file, or other things, or a
                sub-folder that is not named as a class.
        """
        if path.is_file():
            return cls((path,), (path.name,), None)
        if not _has_folders(path):
            return cls.below(path, list_files(path, what=what), None)
        found = list_class_files(path, what=what)
        others = sorted(set(found.labels) - set(class_names))
        if others and not unknown_classes:
            apart = ""
            if named_by == "the support" and what == "picture":
                apart = (
                    ", and with a RUN --open-set tells pictures of other classes apart"
                )
            raise ValueError(
                f"sub-folders of {str(path)!r} must be named as {named_by}'s, "
                f"{_some(class_names)}. Received: {_some(others)}; {what}s "
                f"without known classes go directly into one folder{apart}"
            )
        labels = number_labels(found.labels, class_names, unknown=unknown_classes)
        return cls.below(path, found.files, labels)

    @classmethod
    def below(
        cls, folder: Path, paths: Sequence[Path], labels: np.ndarray | None
    ) -> QueryFiles:
        """Those of a folder."""
        names = tuple(path.relative_to(folder).as_posix() for path in paths)
        return cls(tuple(paths), names, labels)


def _some(names: Sequence[str], most: int = 20) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _has_folders(folder: Path) -> bool:
    # A Mac's archives bring a folder along that is no class.
    return folder.is_dir() and any(
        entry.is_dir()
        and not entry.name.startswith(".")
        and entry.name.lower() != "__macosx"
        for entry in folder.iterdir()
    )


def read_all(
    files: QueryFiles,
    read: Callable[[Path], Content],
    accepted: str,
    *,
    what: str,
    skip_bad: bool,
) -> tuple[list[Content], QueryFiles, tuple[str, ...]]:
    """What files of queries hold.

    Args:
        files: The files.
        read: Reads one.
        accepted: What one must be, for the message.
        what: What one is called.
        skip_bad: Whether those that cannot be read are left out.

    Returns:
        What is in them, those that could be read, and a sentence on the others.

    Raises:
        ValueError: When some cannot be read, and `skip_bad` is False; names all of
            them. When none can.
    """
    try:
        return [read(path) for path in files.paths], files, ()
    except (UnreadableFile, OSError):
        # Only now is it worth to try them all.
        wrong = find_unreadable(files.paths, read)
        if not wrong:
            raise
    total = len(files.paths)
    if not skip_bad or len(wrong) == total:
        refuse_unreadable(wrong, total, accepted, what=what)
    rows = [row for row, path in enumerate(files.paths) if path not in wrong]
    left = QueryFiles(
        tuple(files.paths[row] for row in rows),
        tuple(files.names[row] for row in rows),
        None if files.labels is None else files.labels[rows],
    )
    note = left_out(wrong, total, what=what)
    return [read(path) for path in left.paths], left, (note,)
