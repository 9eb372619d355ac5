"""Opening a table folder, and checking that it is whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.storage.building import (
    ARRAY,
    BLOB,
    FORMAT_VERSION,
    HEADER,
    SPANS,
    checksum_of,
)
from tfmeta.datasets.storage.encoded_pictures import EncodedPictures, check_spans
from tfmeta.datasets.storage.layout import MEMORY_MAP_FROM, TEXT, TableLayout
from tfmeta.json_files import parse_json
from tfmeta.json_types import check_type


class _Layout(TypedDict):
    """What is always there of a `TableLayout`."""

    name: str
    class_names: list[str]
    class_sizes: list[int]
    example_shape: list[int]
    dtype: str


class _Versioned(TypedDict):
    format_version: int


class _HeaderAtFirst(_Versioned):
    layout: _Layout
    files: dict[str, int]


class _Header(_HeaderAtFirst, total=False):
    """What `table.json` holds. Large tables are without checksums."""

    crc32: dict[str, int]


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
    layout, sizes, checksums = _read_header(path)
    if memory_map is None:
        memory_map = sum(sizes.values()) >= MEMORY_MAP_FROM
    try:
        examples = _open_examples(path, layout, memory_map)
        if not memory_map:
            _check_content(path, checksums)
        return ClassTable(
            name=layout.name,
            examples=examples,
            offsets=layout.offsets,
            class_names=layout.class_names,
            groups=layout.groups,
            group_level=layout.group_level,
            origin_names=layout.origin_names,
            description=layout.description,
            class_attributes=layout.class_attributes,
        )
    except (ValueError, EOFError, TypeError, OverflowError, MemoryError) as error:
        raise _damaged(path, str(error)) from error


def _read_header(path: Path) -> tuple[TableLayout, dict[str, int], dict[str, int]]:
    header = path / HEADER
    if not header.is_file():
        raise FileNotFoundError(
            f"{path} must be the folder of a table, as `write_table` writes it. "
            f"Received: {'a folder' if path.is_dir() else 'a path'} without {HEADER}"
        )
    try:
        content = parse_json(header.read_text("utf-8"), header)
        check_type(content, _Versioned, HEADER)
        version = content["format_version"]
        if version > FORMAT_VERSION:
            raise ValueError(
                f"{header} must have a format version of at most {FORMAT_VERSION}. "
                f"Received: {version}, from a newer tfmeta; install that version to "
                "use it"
            )
        check_type(content, _Header, HEADER)
        sizes, checksums = content["files"], content.get("crc32", {})
        layout = TableLayout(**content["layout"])
    # What does not fit together in a layout shows in many ways.
    except Exception as error:
        raise _damaged(path, f"{HEADER}: {type(error).__name__}: {error}") from error
    blob = layout.is_blob
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
    return layout, sizes, checksums


def _check_content(path: Path, checksums: dict[str, int]) -> None:
    """Raises `ValueError` for files that hold other bytes than were written."""
    for name, checksum in checksums.items():
        if name != Path(name).name:
            raise ValueError(f"a checksum of {name!r}, which lies elsewhere")
        found = checksum_of(path / name)
        if found != checksum:
            raise ValueError(f"{name} with checksum {found} instead of {checksum}")


def _open_examples(path: Path, layout: TableLayout, memory_map: bool) -> Any:
    # allow_pickle=False: a data file must never be able to run code.
    if not layout.is_blob:
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
        check_spans(spans, (path / BLOB).stat().st_size)
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
