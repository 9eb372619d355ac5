"""The pictures to classify, with or without their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.datasets.own.class_folders import list_class_files
from tfmeta.datasets.own.picture_folder import list_pictures

UNKNOWN = -1


@dataclasses.dataclass(frozen=True)
class QueryFiles:
    """Files of queries.

    Attributes:
        paths: The files.
        labels: Int32 `(queries,)`: class of each, -1 for one that the support does
            not have; `None` where the folder does not say.
    """

    paths: tuple[Path, ...]
    labels: np.ndarray | None

    @classmethod
    def found(
        cls, folder: Path, class_names: Sequence[str], *, unknown_classes: bool
    ) -> QueryFiles:
        """The pictures of a folder, or of its sub-folders, one for each class.

        Args:
            folder: The folder.
            class_names: Classes of the support.
            unknown_classes: Whether sub-folders may have other names.

        Raises:
            FileNotFoundError: When there is no such folder.
            ValueError: When it holds no picture, or other things, or a sub-folder
                that is not named as a class.
        """
        if not _has_folders(folder):
            return cls(tuple(list_pictures(folder)), None)
        found = list_class_files(folder, what="picture")
        others = sorted(set(found.labels) - set(class_names))
        if others and not unknown_classes:
            raise ValueError(
                f"sub-folders of {str(folder)!r} must be named as the support's, "
                f"{', '.join(class_names)}. Received: {', '.join(others)}; pictures of "
                "other classes are told apart by --open-set"
            )
        number = {name: label for label, name in enumerate(class_names)}
        labels = [number.get(name, UNKNOWN) for name in found.labels]
        return cls(tuple(found.files), np.array(labels, np.int32))


def _has_folders(folder: Path) -> bool:
    # A Mac's archives bring a folder along that is no class.
    return folder.is_dir() and any(
        entry.is_dir()
        and not entry.name.startswith(".")
        and entry.name.lower() != "__macosx"
        for entry in folder.iterdir()
    )
