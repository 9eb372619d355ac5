"""The lists of Ravi and Larochelle: which pictures miniImageNet consists of."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from tfmeta.datasets.imagenet.catalogue import Catalogue
from tfmeta.datasets.imagenet.stored_files import StoredFiles

# The files of github.com/twitter/meta-learning-lstm at commit 0df7fc74. Of the
# pictures, nobody publishes a SHA-256.
SHA256 = {
    "train.csv": "498519cd8e49ce97ed26a4a3638966698ae41ab35e9c68538319fc9b46ba7d2f",
    "val.csv": "5658a59921ca027ee76af92949869c5d6f41d77592ff3b18db325a9d10c893b9",
    "test.csv": "2b7cfa78342995761a572a8158e539bc4e0a80f9bbd7d00c1e17a460fbbb93fa",
}
_FILES = {"train": "train.csv", "validation": "val.csv", "test": "test.csv"}


class RaviLists:
    """Names of pictures by class, from `train.csv`, `val.csv` and `test.csv`.

    Args:
        folder: Where they come from.
        contents: Content by file name.
        catalogue: The classes that they must name.

    Attributes:
        names: Picture names such as `"n0153282900000005.jpg"`, sorted, by class.
        all_names: All of them.
        digest: Digest of the three files.
        official: Whether they are the authors' files, byte for byte.

    Raises:
        ValueError: When they are damaged or the lists of another split.
    """

    def __init__(
        self, folder: str, contents: Mapping[str, bytes], catalogue: Catalogue
    ) -> None:
        self.names: dict[str, tuple[str, ...]] = {}
        for split, file in _FILES.items():
            by_class: dict[str, list[str]] = {}
            rows = _rows(f"{folder}/{file}", contents[file])
            for name, class_name in rows:
                by_class.setdefault(class_name, []).append(name)
            others = sorted(set(by_class) ^ set(catalogue.classes[split]))
            if others:
                raise ValueError(
                    f"{folder}/{file} must list the {split} classes of "
                    f"{catalogue.title}. Received: {len(others)} others or missing "
                    f"ones, the first {others[0]!r}"
                )
            if len({name for name, _ in rows}) != len(rows):
                raise ValueError(
                    f"{folder}/{file} must list each picture once. Received: one twice"
                )
            self.names |= {c: tuple(sorted(n)) for c, n in by_class.items()}
        self.all_names = frozenset(n for names in self.names.values() for n in names)
        hashes = {n: hashlib.sha256(contents[n]).hexdigest() for n in _FILES.values()}
        self.official = hashes == SHA256
        self.digest = "".join(hashes.values())


def find_lists(files: StoredFiles, catalogue: Catalogue) -> RaviLists | None:
    """The lists that lie among files, in whatever folder of theirs.

    Args:
        files: The files.
        catalogue: The classes that they must name.

    Returns:
        The first three lists together that are miniImageNet's, or `None` where
        there are no lists.

    Raises:
        ValueError: When there are lists, but none that can be used.
    """
    folders: dict[str, dict[str, bytes]] = {}
    for name, content in files.lists.items():
        path = PurePosixPath(name)
        folders.setdefault(str(path.parent), {})[path.name] = content
    problem = None
    for folder, contents in sorted(folders.items(), key=lambda f: (len(f[0]), f[0])):
        missing = [name for name in _FILES.values() if name not in contents]
        try:
            if missing:
                raise ValueError(
                    f"{files.path}: lists {', '.join(_FILES.values())} must lie "
                    f"together. Received: {', '.join(contents)} alone in {folder!r}"
                )
            return RaviLists(str(files.path / folder), contents, catalogue)
        except ValueError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return None


def _rows(path: str, content: bytes) -> list[tuple[str, str]]:
    try:
        rows = list(csv.reader(content.decode("utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} must be a CSV file. Received: {error}") from error
    if not rows or rows[0] != ["filename", "label"]:
        raise ValueError(
            f"{path} must begin with the line 'filename,label'. Received: "
            f"{','.join(rows[0])[:60] if rows else 'an empty file'!r}"
        )
    for number, row in enumerate(rows[1:], 2):
        if len(row) not in (0, 2):
            raise ValueError(
                f"{path} must have two columns. Received: {len(row)} in line {number}"
            )
    return [(row[0], row[1]) for row in rows[1:] if row]
