"""Reading zip archives that come from somewhere else, without trusting them."""

from __future__ import annotations

import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

GIB = 2**30

# Members smaller than this cannot do harm, however well they compress; a plain
# white picture compresses a thousandfold.
_RATIO_MATTERS_FROM = 2**20

# What `zipfile` raises when it meets a damaged or unsupported member.
_READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    UnicodeDecodeError,
    ValueError,
)


def read_archive(
    path: str | os.PathLike[str],
    *,
    max_bytes: int = 4 * GIB,
    max_ratio: int = 200,
) -> Iterator[tuple[str, bytes]]:
    """Yields the files of a zip archive, one after the other, in memory.

    Nothing is written to disk. All names and declared sizes are checked before
    the first member is read, and each member is read no further than its
    declared size and compared with its checksum, so that neither a hostile nor
    a broken archive gets past.

    Args:
        path: The archive.
        max_bytes: The most bytes that all members together may unpack to.
        max_ratio: The most times that a member of 1 MiB or more may grow when
            it is unpacked.

    Yields:
        The name of each file, with `/` between folders, and its content.
        Folders are left out.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file is no zip archive, is truncated or damaged,
            is larger than allowed, or holds a member that is encrypted, is
            named twice, is a link or a device, or whose name is absolute or
            leads out of the folder. The message names archive and member.

    Example:

    ```python
    for name, content in read_archive("images_background.zip"):
        print(name, len(content))
    ```
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"archive {path} must be a file. Received: none there")
    try:
        archive = zipfile.ZipFile(path)
    except _READ_ERRORS as error:
        raise ValueError(
            f"archive {path} must be a whole zip archive. Received: {error}"
        ) from error
    with archive:
        members = archive.infolist()
        _check_members(path, members, max_bytes, max_ratio)
        for member in members:
            if member.is_dir():
                continue
            try:
                content = archive.read(member)
            except _READ_ERRORS as error:
                raise ValueError(
                    f"archive {path}: member {member.filename!r} must be readable. "
                    f"Received: {type(error).__name__}: {error}"
                ) from error
            yield member.filename, content


def _check_members(
    path: Path, members: list[zipfile.ZipInfo], max_bytes: int, max_ratio: int
) -> None:
    total = 0
    seen: set[str] = set()
    for member in members:
        # `filename` is cut at a NUL; the original tells.
        name = member.orig_filename
        problem = _problem(member, name, max_ratio)
        plain = name.replace("\\", "/").rstrip("/")
        if problem is None and plain in seen:
            problem = "each name once", "the name a second time"
        if problem is not None:
            accepted, received = problem
            raise ValueError(
                f"archive {path}: member {name!r} is refused; accepted is "
                f"{accepted}. Received: {received}"
            )
        seen.add(plain)
        total += member.file_size
        if total > max_bytes:
            raise ValueError(
                f"archive {path} must not unpack to more than {max_bytes:,} bytes. "
                f"Received: {total:,} bytes or more, at member {name!r}"
            )


def _problem(
    member: zipfile.ZipInfo, name: str, max_ratio: int
) -> tuple[str, str] | None:
    """What is accepted and what was found, or `None` for a good member."""
    plain = name.replace("\\", "/")
    parts = plain.rstrip("/").split("/")
    kind = stat.S_IFMT(member.external_attr >> 16)
    ratio = member.file_size / max(member.compress_size, 1)
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        return "a path relative to the archive", "an absolute path"
    if ".." in parts:
        return "a path inside the archive's folder", "a path that leaves it"
    if "\0" in name or "" in parts:
        return "a plain path", "an empty part or a NUL in the name"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        link = kind == stat.S_IFLNK
        return "a file or a folder", "a symbolic link" if link else "a special file"
    if member.flag_bits & 0x1:
        return "a member without a password", "an encrypted member"
    if member.file_size >= _RATIO_MATTERS_FROM and ratio > max_ratio:
        return (
            f"a member that grows at most {max_ratio} times",
            f"{member.compress_size:,} bytes that unpack to {member.file_size:,}",
        )
    return None
