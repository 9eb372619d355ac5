"""A compressed file, unpacked as it is read and no faster than is allowed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from tfmeta.datasets.reading.member_names import RATIO_MATTERS_FROM

# How the compressed files begin.
COMPRESSIONS = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0"}

_CHUNK = 2**20
# Twice what `xz -9` asks for; a file may ask for 4 GiB.
_XZ_MEMORY = 128 * 2**20
_READ_ERRORS = (EOFError, OSError, ValueError, MemoryError, zlib.error, lzma.LZMAError)


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class UnpackedStream:
    """Reads a file from its beginning to its end, unpacked where it is packed.

    Args:
        path: The file.
        max_ratio: The most times that what was read may grow; it is checked
            while it is unpacked, from 1 MiB on.
    """

    def __init__(self, path: Path, max_ratio: int) -> None:
        self._path = path
        self._max_ratio = max_ratio
        self._unpacked = 0
        self._check_at = RATIO_MATTERS_FROM
        self._file = path.open("rb")
        self._reader = _reader(self._file)

    def __enter__(self) -> UnpackedStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Reads so many bytes, or as many as there are.

        Args:
            size: The number of bytes.

        Returns:
            The bytes; fewer than `size` only at the end.

        Raises:
            ValueError: When the file is damaged or grows too much.
        """
        if size <= _CHUNK:
            return self._read_chunk(size)
        # A size that a file declares is no reason to take the memory for it.
        chunks = []
        while size > 0 and (chunk := self._read_chunk(min(size, _CHUNK))):
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def _read_chunk(self, size: int) -> bytes:
        try:
            chunk = self._reader.read(size)
        except _READ_ERRORS as error:
            raise ValueError(
                f"archive {self._path} must be whole. Received: "
                f"{type(error).__name__}: {error}"
            ) from error
        self._unpacked += len(chunk)
        if self._unpacked > self._check_at:
            packed = self._file.tell()
            if self._unpacked > self._max_ratio * packed:
                raise ValueError(
                    f"archive {self._path} must not grow more than "
                    f"{self._max_ratio} times when it is unpacked. Received: "
                    f"{packed:,} bytes that unpack to {self._unpacked:,} or more"
                )
            self._check_at = self._unpacked + RATIO_MATTERS_FROM
        return chunk


def _reader(file: BinaryIO) -> _Reader:
    head = file.read(6)
    file.seek(0)
    if head.startswith(COMPRESSIONS["gzip"]):
        return gzip.GzipFile(fileobj=file)
    if head.startswith(COMPRESSIONS["bzip2"]):
        return bz2.BZ2File(file)
    if head.startswith(COMPRESSIONS["xz"]):
        return _XzReader(file)
    return file


class _XzReader:
    """`lzma.LZMAFile` with a limit to the memory that a file may ask for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        """Reads so many bytes, or as many as there are."""
        chunks = []
        while size > 0 and not self._unpacker.eof:
            packed = self._file.read(2**16) if self._unpacker.needs_input else b""
            if self._unpacker.needs_input and not packed:
                raise EOFError("the file ends before its xz stream does")
            chunk = self._unpacker.decompress(packed, size)
            chunks.append(chunk)
            size -= len(chunk)
        if size and (self._unpacker.unused_data or self._file.read(1)):
            raise ValueError("something follows the xz stream")
        return b"".join(chunks)
