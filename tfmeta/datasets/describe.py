"""What data hold, and what they can be used for: facts, nothing printed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_sizes import ClassSizes
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.duplicates import Duplicates, find_duplicates
from tfmeta.datasets.own.array_files import open_array
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.text_files import read_text_file
from tfmeta.datasets.reading.pictures import picture_kind, read_picture

TASKS = ((1, 5), (1, 15), (5, 5), (5, 15))
"""Shots and queries that `tasks` says something about."""

_BLOCK = 256


@dataclasses.dataclass(frozen=True)
class TaskLimit:
    """The largest tasks of one kind that the data allow.

    Args:
        shots: Support examples per class.
        queries: Query examples per class.
        ways: The largest number of classes of a task; classes of one origin
            count once.
        left_out: How many classes have fewer examples than `shots + queries`.
    """

    shots: int
    queries: int
    ways: int
    left_out: int


@dataclasses.dataclass(frozen=True)
class SplitTasks:
    """What tasks of all classes of a split can be.

    Args:
        split: Name of the split.
        classes: The number of classes; those of one origin count once.
        smallest: The smallest class, and its size.
        ways: For each of `TASKS` the largest number of ways, 0 where the smallest
            class has too few examples.
    """

    split: str
    classes: int
    smallest: tuple[str, int]
    ways: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Description:
    """What data hold.

    Args:
        name: Name of the data set.
        source: Where it comes from.
        class_names: Names of the classes.
        class_sizes: Examples of each class.
        num_origins: Classes, counting those made from one as one.
        group_sizes: Classes by name of the group, or `None`.
        group_level: What a group is called.
        forms: How often each form of example comes, the most frequent first: for
            files `("84 x 84 RGB", 600)`, height, width and Pillow's mode.
        shorter_sides: For picture files the least and the greatest shorter side in
            pixels, between which a good `size` lies; else `None`.
        not_finite: Names of the examples that hold a NaN or an infinity.
        across: Equal examples in different classes: at least one of the two has
            a wrong label.
        within: Equal examples in one class. Where they meet as support and query
            of a task, the query is answered without any learning.
        tasks: The largest tasks, for `TASKS`.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    class_sizes: tuple[int, ...]
    num_origins: int
    group_sizes: dict[str, int] | None
    group_level: str
    forms: tuple[tuple[str, int], ...]
    shorter_sides: tuple[int, int] | None
    not_finite: tuple[str, ...]
    across: Duplicates
    within: Duplicates
    tasks: tuple[TaskLimit, ...]

    @property
    def sides_differ(self) -> bool:
        """Whether pictures are stored in several sizes."""
        sides = {form.rpartition(" ")[0] for form, _ in self.forms}
        return self.shorter_sides is not None and len(sides) > 1


@dataclasses.dataclass(frozen=True)
class _Fact:
    """What is kept of one example."""

    form: str
    digest: bytes
    finite: bool
    shorter_side: int | None = None


def describe_table(
    table: ClassTable, *, on_progress: Callable[[int, int], None] | None = None
) -> Description:
    """Looks at every example of a table.

    Args:
        table: The table. It may be larger than memory.
        on_progress: Called with the number of examples looked at, and of all.

    Returns:
        What it holds.

    Example:

    ```python
    describe_table(tfmeta.datasets.load("glyphs", split="test")).tasks
    ```
    """
    names = [
        f"{name}, example {number + 1}"
        for name, size in zip(table.class_names, table.class_sizes, strict=True)
        for number in range(size)
    ]
    labels = np.repeat(np.arange(table.num_classes), table.class_sizes)
    return _describe(
        name=table.name,
        source=table.description,
        facts=_reported(_facts_of_table(table), table.num_examples, on_progress),
        names=names,
        labels=[table.class_names[c] for c in labels],
        origins=dict(zip(table.class_names, table.origins, strict=True)),
        groups=None
        if table.groups is None
        else dict(zip(table.class_names, table.groups, strict=True)),
        group_level=table.group_level,
    )


def describe_files(
    files: LabelledFiles, *, on_progress: Callable[[int, int], None] | None = None
) -> Description:
    """Looks at every file as it is stored, before any is resized.

    Pictures are equal when their decoded pixels are, whatever their files are.

    Args:
        files: The files, such as of `list_own_files`.
        on_progress: Called with the number of files looked at, and of all.

    Returns:
        What they hold.

    Raises:
        FileNotFoundError: When a file is not there.
        ValueError: When a file cannot be read; names it.

    Example:

    ```python
    describe_files(list_own_files("photos")).across.named
    ```
    """
    look = {
        "pictures": _fact_of_picture,
        "texts": _fact_of_text,
        "arrays": _fact_of_array,
    }[files.kind]
    folder = files.source if files.source.is_dir() else files.source.parent
    with ThreadPoolExecutor() as pool:
        facts = pool.map(look, files.files)
        return _describe(
            name=files.name,
            source=str(files.source),
            facts=_reported(facts, len(files.files), on_progress),
            names=[_relative(file, folder) for file in files.files],
            labels=files.labels,
            origins={name: name for name in files.class_names},
            groups=None if files.groups is None else dict(files.groups),
            group_level=files.group_level,
        )


def largest_tasks(
    class_sizes: Sequence[int], origins: Sequence[str]
) -> tuple[TaskLimit, ...]:
    """The largest number of ways for each of `TASKS`.

    Args:
        class_sizes: Examples of each class.
        origins: Origin of each class, as of `ClassTable`.

    Returns:
        One limit for each of `TASKS`.

    Example:

    ```python
    largest_tasks([20, 20, 6], ["a", "b", "c"])[0].ways  # 3: 1 shot, 5 queries
    ```
    """
    limits = []
    for shots, queries in TASKS:
        enough = [size >= shots + queries for size in class_sizes]
        kept = {o for o, ok in zip(origins, enough, strict=True) if ok}
        limits.append(TaskLimit(shots, queries, len(kept), enough.count(False)))
    return tuple(limits)


def split_tasks(split: str, sizes: ClassSizes) -> SplitTasks:
    """What tasks of a split can be, whose classes are all drawn from.

    Args:
        split: Its name.
        sizes: Its classes.

    Example:

    ```python
    table = tfmeta.datasets.load("glyphs", split="test")
    split_tasks("test", ClassSizes.of(table)).ways  # (240, 240, 240, 240)
    ```
    """
    name, size = sizes.smallest()
    ways = sizes.most_ways()
    return SplitTasks(
        split=split,
        classes=ways,
        smallest=(name, size),
        ways=tuple(
            ways if ways > 1 and size >= shots + queries else 0
            for shots, queries in TASKS
        ),
    )


def _describe(
    *,
    name: str,
    source: str,
    facts: Iterable[_Fact],
    names: Sequence[str],
    labels: Sequence[str],
    origins: dict[str, str],
    groups: dict[str, str] | None,
    group_level: str,
) -> Description:
    forms: Counter[str] = Counter()
    not_finite = []
    sides = []
    rows_of: dict[bytes, list[int]] = {}
    for row, fact in enumerate(facts):
        forms[fact.form] += 1
        if not fact.finite:
            not_finite.append(names[row])
        if fact.shorter_side is not None:
            sides.append(fact.shorter_side)
        rows_of.setdefault(fact.digest, []).append(row)
    sizes = Counter(labels)
    class_names = tuple(origins)
    class_sizes = tuple(sizes[n] for n in class_names)
    across, within = find_duplicates(rows_of.values(), names, labels)
    return Description(
        name=name,
        source=source,
        class_names=class_names,
        class_sizes=class_sizes,
        num_origins=len(set(origins.values())),
        group_sizes=None
        if groups is None
        else dict(Counter(groups[n] for n in class_names)),
        group_level=group_level,
        forms=tuple(forms.most_common()),
        shorter_sides=(min(sides), max(sides)) if sides else None,
        not_finite=tuple(not_finite),
        across=across,
        within=within,
        tasks=largest_tasks(class_sizes, list(origins.values())),
    )


def _facts_of_table(table: ClassTable) -> Iterator[_Fact]:
    for start in range(0, table.num_examples, _BLOCK):
        # The table may be a memory map: one block is in memory at a time.
        block = np.asarray(table.examples[start : start + _BLOCK])
        if block.dtype == object:
            for text in block:
                yield _Fact("text", _digest(text.encode()), True)
            continue
        form = _shape_and_dtype(block.shape[1:], block.dtype)
        for example in block:
            yield _fact_of(example, form)


def _fact_of_picture(file: Path) -> _Fact:
    kind = picture_kind(file)
    pixels = read_picture(file, channels=3, dtype="uint16" if kind.is_wide else "uint8")
    fact = _fact_of(pixels, f"{kind.height} x {kind.width} {kind.mode}")
    return dataclasses.replace(fact, shorter_side=min(kind.height, kind.width))


def _fact_of_text(file: Path) -> _Fact:
    return _Fact("text", _digest(read_text_file(file).encode()), True)


def _fact_of_array(file: Path) -> _Fact:
    array = open_array(file)
    return _fact_of(array, _shape_and_dtype(array.shape, array.dtype))


def _fact_of(example: np.ndarray, form: str) -> _Fact:
    example = np.ascontiguousarray(example)
    head = f"{example.shape} {example.dtype.name}".encode()
    finite = example.dtype.kind not in "fc" or bool(np.isfinite(example).all())
    return _Fact(form, _digest(head + b"\n" + example.tobytes()), finite)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _shape_and_dtype(shape: tuple[int, ...], dtype: np.dtype) -> str:
    return f"{' x '.join(map(str, shape)) or 'single'} {dtype.name}"


def _relative(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def _reported(
    facts: Iterable[_Fact],
    total: int,
    on_progress: Callable[[int, int], None] | None,
) -> Iterator[_Fact]:
    for done, fact in enumerate(facts, start=1):
        yield fact
        if on_progress is not None:
            on_progress(done, total)
