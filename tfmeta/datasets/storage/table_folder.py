"""Class tables on disk: written in a stream, opened as memory maps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.storage.building import (
    ARRAY,
    BLOB,
    FORMAT_VERSION,
    HEADER,
    SPANS,
    TableBuilding,
)
from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.layout import ENCODED_PICTURES, TEXT, TableLayout
from tfmeta.datasets.storage.selected import SelectedExamples

__all__ = ["TableLayout", "open_table", "save_table", "write_table"]

Item = tuple[int, Callable[[], np.ndarray | bytes | str]]

# Tables from this size on stay on disk, unless asked otherwise.
MEMORY_MAP_FROM = 256 * 2**20


def write_table(
    path: str | os.PathLike[str],
    layout: TableLayout,
    items: Iterable[Item],
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a table example by example; goes on where a kill has stopped it.

    Until all is written, it lies in `<path>.building`. Start again with the
    same arguments after a kill: the examples that are there already are passed
    over, their loaders are not called. With another layout, of which
    `source_digest` is a part, it begins anew.

    Args:
        path: Folder that the table becomes.
        layout: What it holds.
        items: Pairs of a row and a function that gives its example: an array,
            for encoded pictures the bytes of a file, for text a str. The same
            rows in the same order each time, each row once.
        on_progress: Called with the number of examples written, and of all.

    Raises:
        FileExistsError: When there is something at `path`.
        ValueError: When an example does not fit the layout, or when a row
            comes twice or not at all.
        TypeError: When an example is of the wrong type.
        OSError: When the disk is too small or full, or when another process is
            writing this table.

    Example:

    ```python
    layout = TableLayout("toy", ("a", "b"), (2, 1), (28, 28, 1), "uint8")
    write_table("toy", layout, ((i, lambda i=i: read(i)) for i in range(3)))
    open_table("toy").class_sizes  # [2 1]
    ```
    """
    _write(Path(path), layout, items, on_progress, resume=True)


def _write(
    path: Path,
    layout: TableLayout,
    items: Iterable[Item],
    on_progress: Callable[[int, int], None] | None,
    *,
    resume: bool,
) -> None:
    building = TableBuilding(path, layout, resume=resume)
    try:
        total = layout.num_examples
        skipped = building.done
        seen = np.zeros(total, bool)
        for number, (row, load) in enumerate(items):
            if not 0 <= row < total:
                raise ValueError(
                    f"`items` of {path} must have rows from 0 to {total - 1}. "
                    f"Received: row {row}"
                )
            if seen[row]:
                raise ValueError(
                    f"`items` of {path} must have each row once. Received: row {row} "
                    "twice"
                )
            seen[row] = True
            if number >= skipped:
                building.write(row, load())
                if on_progress is not None:
                    on_progress(building.done, total)
            elif row != building.journal[number, 0]:
                raise ValueError(
                    f"`items` of {path} must come in the order they had when it was "
                    f"begun, item {number} with row {building.journal[number, 0]}. "
                    f"Received: row {row}; remove {building.folder} to begin anew"
                )
        if not seen.all():
            missing = np.flatnonzero(~seen)
            raise ValueError(
                f"`items` of {path} must have all {total:,} rows. Received: none for "
                f"{len(missing):,} of them, the first is {missing[0]}"
            )
        building.finish()
    finally:
        building.close()


def save_table(
    table: ClassTable,
    path: str | os.PathLike[str],
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a table that is there already; `open_table` opens it again.

    Encoded pictures stay encoded.

    Args:
        table: The table.
        path: Folder that it becomes.
        on_progress: Called with the number of examples written, and of all.

    Raises:
        FileExistsError: When there is something at `path`.
        OSError: When the disk is too small.

    Example:

    ```python
    save_table(tfmeta.datasets.load("glyphs", split="test"), "glyphs_test")
    ```
    """
    examples = table.examples
    load: Callable[[int], Any] = examples.__getitem__
    dtype = TEXT if examples.dtype == object else examples.dtype.name
    parent, rows = examples, np.arange(len(examples))
    if isinstance(examples, SelectedExamples):
        parent, rows = examples.parent, examples.rows
    if isinstance(parent, EncodedPictures):
        files, dtype = parent, ENCODED_PICTURES

        def load(row: int) -> bytes:
            return files.file(int(rows[row]))

    layout = TableLayout(
        name=table.name,
        class_names=table.class_names,
        class_sizes=tuple(table.class_sizes),
        example_shape=table.example_shape,
        dtype=dtype,
        groups=table.groups,
        group_level=table.group_level,
        origin_names=table.origin_names,
        description=table.description,
    )
    # Two tables may have one layout: what a kill left is not gone on with.
    items = ((row, lambda row=row: load(row)) for row in range(len(examples)))
    _write(Path(path), layout, items, on_progress, resume=False)


def open_table(
    path: str | os.PathLike[str], *, memory_map: bool | None = None
) -> ClassTable:
    """Opens a table that `write_table` or `save_table` wrote.

    Args:
        path: The folder.
        memory_map: Whether the examples stay on disk and are read when they
            are used, or are read into memory now. By default they stay from
            256 MiB on. Text is always read.

    Returns:
        The table.

    Raises:
        FileNotFoundError: When there is no such table.
        ValueError: When it is damaged or from a newer version.

    Example:

    ```python
    table = open_table("toy", memory_map=True)
    ```
    """
    path = Path(path)
    layout, sizes = _read_header(path)
    if memory_map is None:
        memory_map = sum(sizes.values()) >= MEMORY_MAP_FROM
    try:
        examples = _open_examples(path, layout, memory_map)
        return ClassTable(
            name=layout.name,
            examples=examples,
            offsets=layout.offsets,
            class_names=layout.class_names,
            groups=layout.groups,
            group_level=layout.group_level,
            origin_names=layout.origin_names,
            description=layout.description,
        )
    except (ValueError, EOFError) as error:
        raise _damaged(path, str(error)) from error


def _read_header(path: Path) -> tuple[TableLayout, dict[str, int]]:
    header = path / HEADER
    if not header.is_file():
        raise FileNotFoundError(
            f"{path} must be the folder of a table, as `write_table` writes it. "
            f"Received: {'a folder' if path.is_dir() else 'a path'} without {HEADER}"
        )
    try:
        content = json.loads(header.read_text("utf-8"))
        version = content["format_version"]
        if version > FORMAT_VERSION:
            raise ValueError(
                f"{header} must have a format version of at most {FORMAT_VERSION}. "
                f"Received: {version}, from a newer tfmeta; install that version to "
                "use it"
            )
        layout = TableLayout(**content["layout"])
        sizes = {str(name): int(size) for name, size in content["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"{HEADER}: {type(error).__name__}: {error}") from error
    blob = layout.dtype in (TEXT, ENCODED_PICTURES)
    if set(sizes) != ({BLOB, SPANS} if blob else {ARRAY}):
        raise _damaged(path, f"{HEADER} that names the files {sorted(sizes)}")
    for name, size in sizes.items():
        file = path / name
        found = file.stat().st_size if file.is_file() else None
        if found != size:
            raise _damaged(
                path,
                f"no file {name}"
                if found is None
                else f"{name} with {found:,} bytes instead of {size:,}",
            )
    return layout, sizes


def _open_examples(path: Path, layout: TableLayout, memory_map: bool) -> Any:
    # allow_pickle=False: a data file must never be able to run code.
    if layout.dtype not in (TEXT, ENCODED_PICTURES):
        examples = np.load(
            path / ARRAY, mmap_mode="r" if memory_map else None, allow_pickle=False
        )
        expected = (layout.num_examples, *layout.example_shape)
        if examples.shape != expected or examples.dtype != layout.dtype:
            raise ValueError(f"{ARRAY}: {examples.dtype} of shape {examples.shape}")
        return examples
    spans = np.load(path / SPANS, allow_pickle=False)
    if spans.shape != (layout.num_examples, 2) or spans.dtype != np.int64:
        raise ValueError(f"{SPANS}: {spans.dtype} of shape {spans.shape}")
    if layout.dtype == TEXT:
        blob = (path / BLOB).read_bytes()
        texts = np.empty(len(spans), object)
        texts[:] = [blob[begin:end].decode() for begin, end in spans]
        return texts
    if memory_map:
        files: np.ndarray = np.memmap(path / BLOB, np.uint8, mode="r")
    else:
        files = np.fromfile(path / BLOB, np.uint8)
    return EncodedPictures(files, spans, layout.example_shape)


def _damaged(path: Path, received: str) -> ValueError:
    return ValueError(
        f"{path} must be a whole table, as `write_table` writes it. It is damaged: "
        f"remove the folder and make it again. Received: {received}"
    )
