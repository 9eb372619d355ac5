"""A folder with one sub-folder of files for each class, in groups or without."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from pathlib import Path

from tfmeta.datasets.own.labelled_files import ARRAY_SUFFIXES, LabelledFiles
from tfmeta.datasets.reading.pictures import SUFFIXES
from tfmeta.datasets.reading.unreadable import Problems

# What file managers leave behind, in lower case. Hidden files need no mention.
_CLUTTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}
# A file of these beside class folders is an example without a class.
_EXAMPLES = (*SUFFIXES, *ARRAY_SUFFIXES)
_MOST_NAMED = 5


def list_class_files(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    what: str = "example",
    skip_bad: bool = False,
) -> LabelledFiles:
    """The files of a folder that has one sub-folder for each class.

    Where the sub-folders hold folders themselves, they are groups of classes, and a
    class is called by both, `"group/class"`. Files beside the folders that are no
    examples, such as a `README.md`, and class folders without a file are passed over;
    `notes` says which.

    Args:
        path: The folder. The names of its sub-folders, of any script, become
            the names of the classes (in Unicode's composed form, NFC).
        name: Name of the data set; by default that of the folder.
        what: What each file holds, for the messages.
        skip_bad: Whether class folders that something is wrong with are left out;
            `notes` says which.

    Returns:
        The files, classes sorted by name, the files of each by theirs.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it holds an example beside the sub-folders, or no class with
            a file, when a class folder holds a folder beside its files, and when two
            classes have one name but for the way it is composed.

    Example:

    ```python
    list_class_files("photos").class_names  # ('cup', 'spoon')
    ```
    """
    path = Path(path)
    listing = _list_folders(path)
    labels: list[str] = []
    files: list[Path] = []
    groups: dict[str, str] = {}
    folders: dict[str, Path] = {}
    problems = Problems(skip_bad=skip_bad)
    for group, folder in listing.classes:
        label = _class_name(folder)
        if group is not None:
            groups[f"{_class_name(group)}/{label}"] = _class_name(group)
            label = f"{_class_name(group)}/{label}"
        with problems.of_one():
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
    problems.refuse()
    if not files:
        raise ValueError(
            f"folder {str(path)!r} must hold at least one {what} in a sub-folder. "
            f"Received: {_named(listing.empty)}, without any"
        )
    return LabelledFiles(
        source=path,
        name=path.resolve().name if name is None else name,
        files=tuple(files),
        labels=tuple(labels),
        groups=groups or None,
        notes=(*listing.notes(path), *problems.notes(path)),
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
    """The sub-folders of a folder that has one for each class, or for each group.

    Args:
        path: The folder.

    Returns:
        The sub-folders, sorted by name, without hidden ones and what file
        managers leave behind.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When it holds an example beside them, or no sub-folder.

    Example:

    ```python
    {folder.name: len(list_files(folder)) for folder in list_class_folders("a")}
    ```
    """
    folders, _ = _folders_and_others(Path(path))
    return folders


@dataclasses.dataclass(frozen=True)
class _Listing:
    """What a folder of class folders holds.

    Attributes:
        classes: The folders of its classes, each with that of its group.
        empty: Folders that hold nothing.
        others: Files beside the folders.
    """

    classes: list[tuple[Path | None, Path]] = dataclasses.field(default_factory=list)
    empty: list[Path] = dataclasses.field(default_factory=list)
    others: list[Path] = dataclasses.field(default_factory=list)

    def notes(self, root: Path) -> list[str]:
        """What was passed over, in words."""
        reasons = (
            ("no example in a class folder", self.others),
            ("nothing is in it", self.empty),
        )
        return [
            f"passed over in {root} ({reason}): {_named(paths, root)}"
            for reason, paths in reasons
            if paths
        ]


def _list_folders(path: Path) -> _Listing:
    """Tells classes from groups of classes.

    Raises:
        FileNotFoundError, ValueError: As `list_class_files`.
    """
    folders, others = _folders_and_others(path)
    listing = _Listing(others=others)
    groups: list[Path] = []
    for folder in folders:
        entries = _entries(folder)
        files = [e for e in entries if not e.is_dir()]
        if not entries:
            listing.empty.append(folder)
        elif len(files) == len(entries) or any(map(_is_example, files)):
            listing.classes.append((None, folder))
        else:
            groups.append(folder)
    if groups and listing.classes:
        raise ValueError(
            f"sub-folders of {str(path)!r} must all hold examples, or all be groups "
            f"with a sub-folder for each class. Received: {groups[0].name!r} with "
            f"sub-folders and {listing.classes[0][1].name!r} with files"
        )
    for group in groups:
        inside, others = _folders_and_others(group)
        listing.others.extend(others)
        for folder in inside:
            if _entries(folder):
                listing.classes.append((group, folder))
            else:
                listing.empty.append(folder)
    return listing


def _folders_and_others(path: Path) -> tuple[list[Path], list[Path]]:
    """The sub-folders, and files beside them that are no examples."""
    entries = _entries(path)
    folders = [e for e in entries if e.is_dir()]
    loose = [e for e in entries if not e.is_dir()]
    examples = [e for e in loose if _is_example(e)]
    if examples or not folders:
        received = f"{len(folders)} sub-folders"
        if loose:
            first = (examples or loose)[0].name
            received += f" and {len(loose)} files, the first {first!r}"
        raise ValueError(
            f"folder {str(path)!r} must hold one sub-folder of examples for each "
            f"class, and no example beside them. Received: {received}"
        )
    return folders, loose


def _is_example(file: Path) -> bool:
    return file.suffix.lower() in _EXAMPLES


def _named(paths: list[Path], root: Path | None = None) -> str:
    names = [(p if root is None else p.relative_to(root)).as_posix() for p in paths]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


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
