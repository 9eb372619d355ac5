"""A table on disk while it is being written, beside its final place."""

from __future__ import annotations

import errno
import io
import os
import shutil
import zlib
from pathlib import Path
from typing import IO, Any, TypedDict

import numpy as np

from tfmeta.datasets.storage.layout import (
    ENCODED_PICTURES,
    MEMORY_MAP_FROM,
    TEXT,
    TableLayout,
)
from tfmeta.datasets.storage.picture_files import check_picture_file
from tfmeta.durable import flush, put_in_place
from tfmeta.json_files import json_text, read_json, write_json
from tfmeta.locks import LockTaken, lock_descriptor

FORMAT_VERSION = 1
HEADER = "table.json"
ARRAY, BLOB, SPANS = "examples.npy", "examples.bin", "spans.npy"

# What a kill loses at most, and what is flushed at once.
_MARK_EXAMPLES = 1024
_MARK_BYTES = 32 * 2**20


class _Progress(TypedDict):
    """What `progress.json` holds."""

    items: int


class TableBuilding:
    """The folder `<path>.building`, and how far its table has come.

    | file | what |
    |---|---|
    | `layout.json` | the layout, to see whether it is the same when resuming |
    | `table/` | what becomes the table |
    | `journal.bin` | per example in the order of arrival: row and bytes, int64 |
    | `progress.json` | how many of them are known to be on disk |

    Data are flushed before the journal, and the journal before the progress: a
    progress beyond what is on disk cannot be.

    Args:
        path: Where the table is to lie in the end.
        layout: What it holds.
        resume: Whether to go on with what an earlier process left.

    Raises:
        FileExistsError: When there is something at `path`.
        OSError: When the disk is too small, or when another process writes
            this table.
    """

    def __init__(self, path: Path, layout: TableLayout, *, resume: bool) -> None:
        self.path, self.layout = path, layout
        self.folder = path.with_name(path.name + ".building")
        self._table = self.folder / "table"
        if os.path.lexists(path):
            if self.folder.is_dir() and not self._table.exists():
                # Of a process that was killed when all was done.
                shutil.rmtree(self.folder, ignore_errors=True)
            raise FileExistsError(
                f"{path} must not exist, a table is never overwritten. Received: "
                "something is there; remove it first to write it again"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.folder / "lock")
        kept = self._kept_journal() if resume else None
        if kept is None:
            self._begin_anew()
            kept = np.zeros((0, 2), np.int64)
        self.done = self._marked = len(kept)
        self._unflushed = 0
        self.journal = np.zeros((layout.num_examples, 2), np.int64)
        self.journal[: self.done] = kept
        self._check_space()
        self._data = self._open_data()
        self._journal_file = self._file("journal.bin").open("r+b", buffering=0)
        self._journal_file.truncate(kept.nbytes)
        self._journal_file.seek(0, os.SEEK_END)

    def _file(self, name: str) -> Path:
        return self.folder / name

    @property
    def _data_path(self) -> Path:
        return self._table / (BLOB if self.layout.is_blob else ARRAY)

    def _kept_journal(self) -> np.ndarray | None:
        """The journal of what is on disk; `None` where this is another table."""
        try:
            layout = read_json(self._file("layout.json"))
            items = read_json(self._file("progress.json"), _Progress)["items"]
            journal = np.fromfile(self._file("journal.bin"), np.int64, 2 * items)
            data_bytes = self._data_path.stat().st_size
        except (OSError, ValueError):
            return None
        fits = 0 <= 2 * items == len(journal) <= 2 * self.layout.num_examples
        if layout != self.layout.to_json() or not fits:
            return None
        journal = journal.reshape(items, 2)
        rows, sizes = journal.T
        if np.any((rows < 0) | (rows >= self.layout.num_examples) | (sizes < 0)):
            return None
        needed = journal[:, 1].sum() if self.layout.is_blob else self._array_bytes
        return journal if data_bytes >= needed else None

    def _begin_anew(self) -> None:
        for name in ("progress.json", "layout.json", "journal.bin"):
            self._file(name).unlink(missing_ok=True)
        if self._table.exists():
            shutil.rmtree(self._table)
        self._table.mkdir()
        self._data_path.touch()
        self._file("journal.bin").touch()
        write_json(self._file("layout.json"), self.layout.to_json())
        write_json(self._file("progress.json"), {"items": 0})

    def _open_data(self) -> io.FileIO:
        file = self._data_path.open("r+b", buffering=0)
        if self.layout.is_blob:
            file.truncate(int(self.journal[: self.done, 1].sum()))
            file.seek(0, os.SEEK_END)
        else:
            header = _npy_header(self.layout)
            file.write(header)
            self._first_byte = len(header)
            file.truncate(self._first_byte + self._array_bytes)
        return file

    @property
    def _example_bytes(self) -> int:
        size = int(np.prod(self.layout.example_shape, dtype=np.int64))
        return size * np.dtype(self.layout.dtype).itemsize

    @property
    def _array_bytes(self) -> int:
        return self.layout.num_examples * self._example_bytes

    def _check_space(self) -> None:
        needed = 32 * self.layout.num_examples  # journal and spans
        if not self.layout.is_blob:
            needed += self._array_bytes - self.done * self._example_bytes
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OSError(
                errno.ENOSPC,
                f"writing {self.path} needs {needed:,} bytes ({needed / 2**30:.1f} "
                f"GiB) on the disk. Received: one with {free:,} bytes free",
            )

    def write(self, row: int, value: Any) -> None:
        """Adds one example; the mark follows now and then by itself."""
        data = self._encode(row, value)
        try:
            if not self.layout.is_blob:
                self._data.seek(self._first_byte + row * self._example_bytes)
            _write_all(self._data, data)
            self.journal[self.done] = row, len(data)
            self.done += 1
            self._unflushed += len(data)
            due = self.done - self._marked >= _MARK_EXAMPLES
            if due or self._unflushed >= _MARK_BYTES:
                self.mark()
        except OSError as error:
            raise self._explained(error, len(data)) from error

    def _explained(self, error: OSError, example_bytes: int = 0) -> OSError:
        if error.errno != errno.ENOSPC:
            return error
        left = (self.layout.num_examples - self.done) * example_bytes
        return OSError(
            errno.ENOSPC,
            f"writing {self.path} needs {'about ' if self.layout.is_blob else ''}"
            f"{left:,} bytes more on the disk, which is full after {self.done:,} of "
            f"{self.layout.num_examples:,} examples; free some and start again, it "
            "goes on from there",
        )

    def _encode(self, row: int, value: Any) -> bytes:
        layout = self.layout
        where = f"the example of row {row} of {self.path}"
        if layout.dtype == TEXT:
            if not isinstance(value, str):
                raise TypeError(f"{where} must be a str. Received: {_kind(value)}")
            try:
                return value.encode()
            except UnicodeEncodeError as error:
                raise ValueError(f"{where} must be valid Unicode. {error}") from error
        if layout.dtype == ENCODED_PICTURES:
            check_picture_file(value, layout.example_shape, where)
            return value
        array = np.asarray(value)
        if array.shape != layout.example_shape or array.dtype != layout.dtype:
            raise ValueError(
                f"{where} must be {layout.dtype} of shape {layout.example_shape}. "
                f"Received: {array.dtype} of shape {array.shape}"
            )
        return array.tobytes()

    def mark(self) -> None:
        """Keeps on disk how far the table has come."""
        if self.done == self._marked:
            return
        os.fsync(self._data.fileno())
        _write_all(self._journal_file, self.journal[self._marked : self.done].tobytes())
        os.fsync(self._journal_file.fileno())
        write_json(self._file("progress.json"), {"items": self.done})
        self._marked, self._unflushed = self.done, 0

    def finish(self) -> None:
        """Puts the whole table in its place."""
        try:
            self.mark()
            if self.layout.is_blob:
                self._write_spans()
            sizes = {f.name: f.stat().st_size for f in self._table.iterdir()}
            sizes.pop(HEADER, None)  # of a process killed right here
            header = self._table / HEADER
            content = {
                "format_version": FORMAT_VERSION,
                "layout": self.layout.to_json(),
                "files": dict(sorted(sizes.items())),
            }
            if sum(sizes.values()) < MEMORY_MAP_FROM:
                # What is not read whole when it is opened is not compared.
                content["crc32"] = {n: checksum_of(self._table / n) for n in sizes}
            text = json_text(content, header, indent=1) + "\n"
            header.write_text(text, "utf-8")
            flush(header)
            put_in_place(self._table, self.path)
        except OSError as error:
            raise self._explained(error) from error
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_spans(self) -> None:
        ends = np.cumsum(self.journal[:, 1])
        spans = np.empty((self.layout.num_examples, 2), np.int64)
        spans[self.journal[:, 0]] = np.stack([ends - self.journal[:, 1], ends], 1)
        np.save(self._table / SPANS, spans, allow_pickle=False)
        flush(self._table / SPANS)

    def close(self) -> None:
        """Closes the files; what is not marked is written again next time."""
        self._data.close()
        self._journal_file.close()
        self._lock.close()


def checksum_of(path: Path) -> int:
    """The CRC-32 of a file."""
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(2**22):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


def _npy_header(layout: TableLayout) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header,
        {
            "descr": np.lib.format.dtype_to_descr(np.dtype(layout.dtype)),
            "fortran_order": False,
            "shape": (layout.num_examples, *layout.example_shape),
        },
    )
    return header.getvalue()


def _write_all(file: io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _kind(value: Any) -> str:
    return type(value).__name__


def _locked(path: Path) -> IO[bytes]:
    """A lock that ends with this process, however it ends."""
    file = path.open("wb", buffering=0)
    try:
        lock_descriptor(file.fileno(), wait=False)
    except LockTaken as error:
        file.close()
        raise OSError(
            f"{path.parent} must be written by one process at a time. Received: "
            "another is writing it now"
        ) from error
    return file
