"""Finding out in which form somebody holds miniImageNet or tieredImageNet."""

from __future__ import annotations

import os
from pathlib import Path

from tfmeta.datasets.dataset import Dataset
from tfmeta.datasets.imagenet import mini_pickles, tiered_pickles
from tfmeta.datasets.imagenet.catalogue import Catalogue
from tfmeta.datasets.imagenet.completeness import check_complete
from tfmeta.datasets.imagenet.dataset import MINI_IMAGENET, TIERED_IMAGENET
from tfmeta.datasets.imagenet.file_names import is_picture
from tfmeta.datasets.imagenet.mini_pickles import MiniPickles, find_pickles
from tfmeta.datasets.imagenet.picture_source import PictureSource
from tfmeta.datasets.imagenet.picture_tree import PictureTree
from tfmeta.datasets.imagenet.ravi_lists import find_lists
from tfmeta.datasets.imagenet.stored_files import (
    ARCHIVE_ENDINGS,
    ArchiveFiles,
    FolderFiles,
    StoredFiles,
)
from tfmeta.datasets.imagenet.tiered_pickles import TieredPickles


def open_mini(path: str | os.PathLike[str], catalogue: Catalogue) -> PictureSource:
    """Opens a complete copy of miniImageNet.

    Args:
        path: A folder or an archive.
        catalogue: What it must hold.

    Returns:
        The copy.

    Raises:
        FileNotFoundError: When there is nothing.
        ValueError: When it is in no known form, damaged, or not complete.
    """
    source = _mini_source(_existing(path), catalogue)
    check_complete(source)
    return source


def open_tiered(path: str | os.PathLike[str], catalogue: Catalogue) -> PictureSource:
    """Opens a copy of tieredImageNet.

    Args:
        path: A folder or an archive.
        catalogue: What it must hold.

    Returns:
        The copy.

    Raises:
        FileNotFoundError: When there is nothing.
        ValueError: When it is in no known form, damaged, or not as complete as
            the catalogue has it.
    """
    source = _tiered_source(_existing(path), catalogue)
    check_complete(source)
    return source


def _mini_source(path: Path, catalogue: Catalogue) -> PictureSource:
    for names in (mini_pickles.CACHES, mini_pickles.CATEGORY_SPLITS):
        if files := find_pickles(path, names):
            return MiniPickles(path, files, catalogue)
    pictures, beside = _find_pictures(path, MINI_IMAGENET, catalogue)
    lists = find_lists(pictures, catalogue)
    if lists is None and beside is not None:
        lists = find_lists(beside, catalogue)
    return PictureTree(pictures, catalogue, lists, needs_lists=True)


def _tiered_source(path: Path, catalogue: Catalogue) -> PictureSource:
    for names in (tiered_pickles.PNG_PICKLES, tiered_pickles.NPZ_FILES):
        if images := find_pickles(path, names):
            labels = find_pickles(path, tiered_pickles.LABELS)
            if labels is None:
                raise ValueError(
                    f"{path} must hold train_labels.pkl, val_labels.pkl and "
                    "test_labels.pkl beside the pictures. Received: none of them"
                )
            return TieredPickles(path, images, labels, catalogue)
    return PictureTree(_find_pictures(path, TIERED_IMAGENET, catalogue)[0], catalogue)


def _existing(path: str | os.PathLike[str]) -> Path:
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"`source` must be a folder or an archive. Received: {path}, where there "
            "is nothing"
        )
    return path


def _find_pictures(
    path: Path, record: Dataset, catalogue: Catalogue
) -> tuple[StoredFiles, StoredFiles | None]:
    """The picture files, and the files beside them where these are in an archive."""
    if path.is_file():
        beside = FolderFiles(path.parent, deep=False)
        return ArchiveFiles(path), beside
    folder = FolderFiles(path)
    if any(map(is_picture, folder.names)):
        return folder, None
    archives = [n for n in folder.names if n.lower().endswith(ARCHIVE_ENDINGS)]
    if len(archives) == 1:
        return ArchiveFiles(path / archives[0]), folder
    what = "nothing that is known" if not archives else f"{len(archives)} archives"
    raise ValueError(
        f"`source` must hold {catalogue.title} in one of these forms:\n{record.forms}\n"
        f"Received: {path} with {what} in it: "
        f"{', '.join((archives or list(folder.names))[:5]) or 'no files'}"
    )
