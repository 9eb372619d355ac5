"""Reading zip archives that come from somewhere else, without trusting them."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tfmeta.datasets.reading.member_names import RATIO_MATTERS_FROM, MemberNames

# What `zipfile` raises when it meets a damaged or unsupported member.
_READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
)


def read_zip(path: Path, max_bytes: int, max_ratio: int) -> Iterator[tuple[str, bytes]]:
    """Yields the files of a zip archive; see `read_archive`.

    All names and declared sizes are checked before the first member is read,
    and each member is read no further than its declared size and compared with
    its checksum.

    Args:
        path: The archive.
        max_bytes: The most bytes that all members together may unpack to.
        max_ratio: The most times that a member of 1 MiB or more may grow when
            it is unpacked.

    Yields:
        Name and content of each file.

    Raises:
        ValueError: When the archive or a member is refused.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _READ_ERRORS as error:
        raise ValueError(
            f"archive {path} must be a whole zip archive. Received: {error}"
        ) from error
    with archive:
        members = archive.infolist()
        names = MemberNames(path, max_bytes)
        for member in members:
            # `filename` is cut at a NUL; the original tells.
            problem = _problem(member, max_ratio)
            names.add(member.orig_filename, member.file_size, problem)
        for member in members:
            if not member.is_dir():
                yield member.filename, _content(path, archive, member)


def _content(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        # Without a size, everything is unpacked before it is cut to size.
        with archive.open(member) as file:
            content = file.read(member.file_size)
        if len(content) != member.file_size:
            raise EOFError(f"{len(content):,} bytes of {member.file_size:,}")
    except _READ_ERRORS as error:
        raise ValueError(
            f"archive {path}: member {member.filename!r} must be readable. "
            f"Received: {type(error).__name__}: {error}"
        ) from error
    return content


def _problem(member: zipfile.ZipInfo, max_ratio: int) -> tuple[str, str] | None:
    """What is accepted and what was found, or `None` for a good member."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    ratio = member.file_size / max(member.compress_size, 1)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        link = kind == stat.S_IFLNK
        return "a file or a folder", "a symbolic link" if link else "a special file"
    if member.flag_bits & 0x1:
        return "a member without a password", "an encrypted member"
    # The others are unpacked by `zipfile` as far as they go.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "a stored or deflated member", f"compression {member.compress_type}"
    if member.file_size >= RATIO_MATTERS_FROM and ratio > max_ratio:
        return (
            f"a member that grows at most {max_ratio} times",
            f"{member.compress_size:,} bytes that unpack to {member.file_size:,}",
        )
    return None
