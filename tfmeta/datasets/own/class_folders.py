"""A folder with one sub-folder of files for each class."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from tfmeta.datasets.own.labelled_files import LabelledFiles

# What file managers leave behind, in lower case. Hidden files need no mention.
_CLUTTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}


def list_class_files(
    path: str | os.PathLike[str], *, name: str | None = None, what: str = "example"
) -> LabelledFiles:
    """The files of a folder that has one sub-folder for each class.

    Args:
        path: The folder. The names of its sub-folders, of any script, become
            the names of the classes (in Unicode's composed form, NFC).
        name: Name of the data set; by default that of the folder.
        what: What each file holds, for the messages.

    Returns:
        The files, classes sorted by name, the files of each by theirs.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it holds a file beside the sub-folders, or none, when a
            sub-folder is empty or holds a folder, and when two sub-folders have
            one name but for the way it is composed.

    Example:

    ```python
    list_class_files("photos").class_names  # ('cup', 'spoon')
    ```
    """
    path = Path(path)
    labels: list[str] = []
    files: list[Path] = []
    folders: dict[str, Path] = {}
    for folder in list_class_folders(path):
        label = _class_name(folder)
        if label in folders:
            raise ValueError(
                f"names of class folders in {str(path)!r} must differ in their "
                f"composed form (NFC). Received: {ascii(folders[label].name)} and "
                f"{ascii(folder.name)}"
            )
        folders[label] = folder
        found = list_files(folder, what=what)
        files += found
        labels += [label] * len(found)
    return LabelledFiles(
        source=path,
        name=path.resolve().name if name is None else name,
        files=tuple(files),
        labels=tuple(labels),
    )


def list_files(path: str | os.PathLike[str], *, what: str = "example") -> list[Path]:
    """The files that lie directly in a folder.

    Args:
        path: The folder.
        what: What each file holds, for the messages.

    Returns:
        The files, sorted by name, without hidden files and what file managers
        leave behind.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it holds a sub-folder or no file at all.

    Example:

    ```python
    queries = [read_picture(p, size=(28, 28)) for p in list_files("queries")]
    ```
    """
    path = Path(path)
    files = _entries(path)
    for file in files:
        if not file.is_file():
            raise ValueError(
                f"folder {str(path)!r} must hold {what}s alone. Received: "
                f"{file.name!r}, which is no file"
            )
    if not files:
        raise ValueError(
            f"folder {str(path)!r} must hold at least one {what}. Received: 0"
        )
    return files


def list_class_folders(path: str | os.PathLike[str]) -> list[Path]:
    """The sub-folders of a folder that has one for each class.

    Args:
        path: The folder.

    Returns:
        The sub-folders, sorted by name, without hidden ones and what file
        managers leave behind.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it holds a file beside them, or no sub-folder.

    Example:

    ```python
    {folder.name: len(list_files(folder)) for folder in list_class_folders("a")}
    ```
    """
    path = Path(path)
    entries = _entries(path)
    loose = [e for e in entries if not e.is_dir()]
    if loose:
        raise ValueError(
            f"folder {str(path)!r} must hold one sub-folder of examples for each "
            f"class and nothing else. Received: {len(entries) - len(loose)} "
            f"sub-folders and {len(loose)} files, the first {loose[0].name!r}"
        )
    if not entries:
        raise ValueError(
            f"folder {str(path)!r} must hold one sub-folder of examples for each "
            "class. Received: 0 sub-folders"
        )
    return entries


def _entries(path: Path) -> list[Path]:
    if not path.is_dir():
        raise FileNotFoundError(
            f"folder {str(path)!r} must exist. Received: "
            + ("a file" if path.exists() else "nothing there")
        )
    return sorted(
        e
        for e in path.iterdir()
        if not e.name.startswith(".") and e.name.lower() not in _CLUTTER
    )


def _class_name(folder: Path) -> str:
    try:
        folder.name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            "names of class folders must be valid text in the file system's "
            f"encoding. Received: {str(folder)!r}"
        ) from error
    return unicodedata.normalize("NFC", folder.name)
