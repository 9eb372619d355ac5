"""The files to classify, with or without their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.task import number_labels
from tfmeta.datasets.own.class_folders import list_class_files, list_files


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
