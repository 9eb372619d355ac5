"""A `.npz` file of examples and their classes as a class table."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.array_files import check_finite_examples
from tfmeta.datasets.own.labelled_files import check_one_group
from tfmeta.datasets.own.npz_archive import (
    DTYPES,
    NpzArchive,
    opened_npz,
    unreadable,
)

NPZ_SUFFIX = ".npz"
# Names of the arrays, as people call them.
EXAMPLES = ("X", "x", "examples", "features")
LABELS = ("y", "labels")
GROUPS = ("groups",)
ACCEPTED = (
    f"{' or '.join(EXAMPLES)}, of shape (examples, ...), and {' or '.join(LABELS)}, "
    f"of shape (examples,); {GROUPS[0]}, likewise, may say the group of each class"
)


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledArrays:
    """Examples of one array, with their classes.

    Attributes:
        examples: `(examples, *example)`, finite numbers.
        labels: `(examples,)`, whole numbers or names; `None` where the file has none.
        groups: Group name by class name, or `None`.
    """

    examples: np.ndarray
    labels: np.ndarray | None
    groups: dict[str, str] | None = None

    @property
    def label_names(self) -> tuple[str, ...]:
        """The class name of each example."""
        assert self.labels is not None
        return tuple(map(str, self.labels))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes: sorted, numbers as numbers."""
        assert self.labels is not None
        return tuple(map(str, np.unique(self.labels)))


def is_npz(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a `.npz` file, by its name."""
    path = Path(path)
    return path.suffix.lower() == NPZ_SUFFIX and path.is_file()


def read_labelled_arrays(path: Path, *, labelled: bool = True) -> LabelledArrays:
    """Reads the examples of a `.npz` file, and their classes.

    Args:
        path: The file. Its arrays are `X` (or `x`, `examples`, `features`), `y` (or
            `labels`) and, where classes have groups, `groups`.
        labelled: Whether it must have classes. Without, a single array is the
            examples, whatever its name is.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is damaged, arrays are missing or do not fit each other,
            or examples are no finite numbers.

    Example:

    ```python
    np.savez("iris.npz", X=features, y=species)
    read_labelled_arrays(Path("iris.npz")).class_names  # ('setosa', ...)
    ```
    """
    with opened_npz(path) as archive:
        examples_name = _find(archive, EXAMPLES)
        if examples_name is None and not labelled and len(archive.heads) == 1:
            (examples_name,) = archive.heads
        labels_name = _find(archive, LABELS)
        if examples_name is None or (labelled and labels_name is None):
            there = ", ".join(archive.heads) or "none"
            raise ValueError(
                f"the arrays of {path} must be {ACCEPTED}. Received: {there}"
            )
        examples = _read_examples(archive, examples_name)
        if labels_name is None:
            return LabelledArrays(examples, None)
        labels = _read_names(archive, labels_name, len(examples), examples_name)
        groups_name = _find(archive, GROUPS)
        groups: dict[str, str] | None = None
        if groups_name is not None:
            groups = {}
            named = _read_names(archive, groups_name, len(examples), examples_name)
            for row, (label, group) in enumerate(zip(labels, named, strict=True)):
                where = f"{path}, {groups_name}[{row}]"
                check_one_group(groups, str(label), str(group), where)
    return LabelledArrays(examples, labels, groups)


def load_npz(path: str | os.PathLike[str], *, name: str | None = None) -> ClassTable:
    """Loads the examples of a `.npz` file with their classes.

    Args:
        path: The file, as `numpy.savez` writes it, compressed or not: an array `X`
            (or `x`, `examples`, `features`) of shape `(examples, ...)`, an array `y`
            (or `labels`) of whole numbers or texts of shape `(examples,)` and, where
            classes have groups, an array `groups` of that shape.
        name: Name of the table; by default that of the file without its suffix.

    Returns:
        A table of the array's own shape and dtype, classes sorted by name, or as
        numbers, the examples of each in their order.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is damaged, has no such arrays or others that do not fit
            each other, holds objects, which are never unpickled, or examples that are
            no finite numbers.

    Example:

    ```python
    np.savez("iris.npz", X=features, y=species)
    load_npz("iris.npz").example_shape  # (4,)
    ```
    """
    path = Path(path)
    found = read_labelled_arrays(path)
    assert found.labels is not None
    return ClassTable.from_arrays(
        path.stem if name is None else name,
        found.examples,
        found.labels,
        groups=found.groups,
        description=f"arrays of {path}",
    )


def _find(archive: NpzArchive, names: Sequence[str]) -> str | None:
    found = [name for name in names if name in archive.heads]
    if len(found) > 1:
        raise ValueError(
            f"{archive.path} must have one array among {', '.join(names)}. Received: "
            f"{' and '.join(found)}"
        )
    return found[0] if found else None


def _read_examples(archive: NpzArchive, name: str) -> np.ndarray:
    shape, dtype = archive.heads[name]
    if dtype.newbyteorder("=").name not in DTYPES:
        raise unreadable(
            archive.path,
            f"{name!r} of dtype {dtype}, and examples are of one among "
            f"{', '.join(DTYPES)}",
        )
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"{name!r} in {archive.path} must be of shape (examples, ...), with one "
            f"number or more in each example. Received: {shape}"
        )
    examples = archive.read(name)
    check_finite_examples(examples, f"{name!r} in {archive.path}")
    return np.asarray(examples, dtype.newbyteorder("="))


def _read_names(
    archive: NpzArchive, name: str, count: int, examples_name: str
) -> np.ndarray:
    """Names of classes or groups: whole numbers, or texts in composed form."""
    shape, dtype = archive.heads[name]
    where = f"{name!r} in {archive.path}"
    if shape != (count,):
        raise ValueError(
            f"{where} must be of shape ({count},), one for each example of "
            f"{examples_name!r}. Received: {shape}"
        )
    if dtype.hasobject:
        raise ValueError(
            f"{where} must be of whole numbers or texts, such as "
            f"numpy.asarray({name}, str) makes. Received: dtype object, which would "
            "have to be unpickled"
        )
    if dtype.kind not in "iubUS":
        raise ValueError(
            f"{where} must be of whole numbers or texts. Received: dtype {dtype}"
        )
    values = archive.read(name)
    if dtype.kind not in "US":
        return values.astype(dtype.newbyteorder("="))
    try:
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} must be in UTF-8. Received: {error}") from error
    composed = [unicodedata.normalize("NFC", text.strip()) for text in texts]
    for row, text in enumerate(composed):
        if not text:
            raise ValueError(
                f"{where} must name each. Received: an empty name in row {row}"
            )
    return np.array(composed)
