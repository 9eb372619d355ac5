"""The archive of CIFAR-100: what it must hold, read and checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfmeta.datasets.cifar100.class_lists import superclasses
from tfmeta.datasets.reading.archives import read_archive
from tfmeta.datasets.reading.checked_archive import CheckedArchive, sha256_of

ARCHIVE = "cifar-100-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
OFFICIAL_SHA256 = "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
SIZE = 32
# Pictures of each class in each of the two files.
EACH = {"train": 500, "test": 100}

_FOLDER = "cifar-100-binary"
# A byte for the superclass, one for the class, and red, green and blue planes.
_RECORD = 2 + 3 * SIZE * SIZE
# All of CIFAR-100 unpacks to 184 MB.
_MAX_BYTES = 512 * 2**20


@dataclasses.dataclass(frozen=True, eq=False)
class CifarPictures:
    """All pictures of CIFAR-100, in the order of the authors' files.

    Args:
        pictures: Uint8 of shape `(pictures, 32, 32, 3)`, those of training first.
        labels: Int array of shape `(pictures,)`: the class of each.
        class_names: What the labels stand for.
    """

    pictures: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]


def read_cifar_archive(
    path: Path, *, on_pictures: Callable[[int], None] | None = None
) -> tuple[CheckedArchive, CifarPictures]:
    """Reads the archive of CIFAR-100's binary version and counts its pictures.

    Args:
        path: The archive.
        on_pictures: Called with a number of pictures, when they were checked.

    Returns:
        The archive, and what is in it.

    Raises:
        ValueError: When the archive is unsafe, damaged, laid out in another
            way or not complete.
    """
    files = {}
    for name, content in read_archive(path, max_bytes=_MAX_BYTES):
        folder, _, file = name.rpartition("/")
        if folder == _FOLDER:
            files[file] = content
    wanted = [f"{part}.bin" for part in EACH]
    wanted += ["fine_label_names.txt", "coarse_label_names.txt"]
    missing = [name for name in wanted if name not in files]
    if missing:
        raise ValueError(
            f"archive {path} must hold {', '.join(wanted)} in the folder {_FOLDER} "
            f"(CIFAR-100, binary version). Received: none of the name "
            f"{', '.join(missing)}"
        )
    known = superclasses()
    names = _names(path, "fine_label_names.txt", files, sorted(known))
    groups = _names(path, "coarse_label_names.txt", files, sorted({*known.values()}))
    superclass_of = np.array([groups.index(known[name]) for name in names])
    records = []
    for part, each in EACH.items():
        records.append(
            _read_records(path, f"{part}.bin", files, names, superclass_of, each)
        )
        if on_pictures is not None:
            on_pictures(each * len(names))
    found = f"{len(names)} classes, {sum(EACH.values()) * len(names):,} pictures"
    rows = np.concatenate(records)
    pictures = rows[:, 2:].reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)
    return (
        CheckedArchive(path, found, sha256_of(path), OFFICIAL_SHA256),
        CifarPictures(pictures, rows[:, 1].astype(np.int64), tuple(names)),
    )


def _names(
    path: Path, member: str, files: dict[str, bytes], expected: list[str]
) -> list[str]:
    names = files[member].decode("utf-8", "replace").split()
    if sorted(names) != expected:
        unlike = sorted({*names} ^ {*expected})[:3]
        raise ValueError(
            f"archive {path}: member {member} must name the {len(expected)} classes "
            f"of CIFAR-100. Received: {len(names)} names, unlike in {unlike}"
        )
    return names


def _read_records(
    path: Path,
    member: str,
    files: dict[str, bytes],
    names: list[str],
    superclass_of: np.ndarray,
    each: int,
) -> np.ndarray:
    content = files[member]
    if len(content) != each * len(names) * _RECORD:
        raise ValueError(
            f"archive {path}: member {member} must have "
            f"{each * len(names) * _RECORD:,} bytes, {each} pictures of each class. "
            f"Received: {len(content):,} bytes"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    coarse, fine = records[:, 0], records[:, 1]
    if fine.max() >= len(names) or np.any(coarse != superclass_of[fine]):
        raise ValueError(
            f"archive {path}: member {member} must give each class its superclass. "
            "Received: other labels"
        )
    counts = np.bincount(fine, minlength=len(names))
    if np.any(counts != each):
        wrong = int(np.flatnonzero(counts != each)[0])
        raise ValueError(
            f"archive {path}: member {member} must hold {each} pictures of each "
            f"class. Received: {counts[wrong]} of {names[wrong]!r}"
        )
    return records
