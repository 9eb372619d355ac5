"""Folders that come divided into splits, each with a sub-folder per class."""

from __future__ import annotations

import os
from pathlib import Path

from tfmeta.datasets.own.class_folders import list_class_folders

# What sub-folders of given splits are called, by the name of the split here.
_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}


def given_splits(path: str | os.PathLike[str]) -> dict[str, Path]:
    """The folders of splits that a folder comes with.

    Args:
        path: Any path.

    Returns:
        The folders by name of the split; empty unless all sub-folders are named
        after splits, one of them `train`, and hold folders.

    Raises:
        ValueError: When two folders are of one split.
    """
    if not Path(path).is_dir():
        return {}
    found: dict[str, Path] = {}
    try:
        folders = list_class_folders(path)
        for folder in folders:
            list_class_folders(folder)  # raises where there are files
    except (ValueError, OSError):
        return {}
    for folder in folders:
        for split, names in _FOLDERS.items():
            if folder.name.lower() in names:
                if split in found:
                    raise ValueError(
                        f"{str(path)!r} must have one folder for each split. Received: "
                        f"{found[split].name!r} and {folder.name!r}"
                    )
                found[split] = folder
    complete = len(found) == len(folders) and "train" in found
    return found if complete else {}


def refuse_given_splits(path: str | os.PathLike[str]) -> None:
    """Refuses a folder that comes in splits where one split is wanted.

    Raises:
        ValueError: When it does.
    """
    given = given_splits(path)
    if given:
        raise ValueError(
            f"{str(path)!r} must be one split, such as {str(given['train'])!r}. "
            f"Received: the splits {', '.join(sorted(given))}"
        )
