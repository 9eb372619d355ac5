"""Reading tar archives that come from somewhere else, without trusting them.

The standard library's `tarfile` decodes each block of 512 bytes here, and no
more: what it does with extended headers takes time by the square of their
length, and memory for as much as they say.
"""

from __future__ import annotations

import dataclasses
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tfmeta.datasets.reading.member_names import MemberNames
from tfmeta.datasets.reading.unpacked_stream import COMPRESSIONS, UnpackedStream

_BLOCK = 512
_MAX_EXTENSION = 2**16
# Names are kept, to tell when one comes twice. ImageNet has 1.3 million pictures.
_MAX_MEMBERS = 4_000_000

_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_REFUSED = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a special file",
    tarfile.BLKTYPE: "a special file",
    tarfile.FIFOTYPE: "a special file",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


@dataclasses.dataclass
class _Member:
    name: str
    size: int
    type: bytes
    is_sparse: bool = False


def looks_like_tar(path: Path) -> bool:
    """Whether a file begins like a tar archive or like a compressed file.

    Args:
        path: The file.

    Returns:
        Whether `read_tar` can say more about it.
    """
    with path.open("rb") as file:
        head = file.read(_BLOCK)
    if head.startswith(tuple(COMPRESSIONS.values())):
        return True
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def read_tar(path: Path, max_bytes: int, max_ratio: int) -> Iterator[tuple[str, bytes]]:
    """Yields the files of a tar archive; see `read_archive`.

    Args:
        path: The archive, which may be compressed by gzip, bzip2 or xz.
        max_bytes: The most bytes that all members together may have.
        max_ratio: The most times that the archive may grow when it is unpacked.

    Yields:
        Name and content of each file.

    Raises:
        ValueError: When the archive or a member is refused.
    """
    names = MemberNames(path, max_bytes)
    with UnpackedStream(path, max_ratio) as stream:
        for number, member in enumerate(_members(path, stream)):
            if number >= _MAX_MEMBERS:
                raise ValueError(
                    f"archive {path} must not hold more than {_MAX_MEMBERS:,} "
                    f"members. Received: more, at member {member.name!r}"
                )
            names.add(member.name, member.size, _problem(member))
            content = _padded(path, stream, member.size, f"member {member.name!r}")
            if member.type in _FILES:
                # Made by `tar --create .`, which other tools do not show.
                yield member.name.removeprefix("./"), content


def _members(path: Path, stream: UnpackedStream) -> Iterator[_Member]:
    """The headers, each with those that extend it; contents are left to be read."""
    extended: dict[str, str] = {}
    while block := stream.read(_BLOCK):
        if block == bytes(_BLOCK):  # the end, but also that of the compressed file
            while block:
                block = stream.read(2**16)
                if block.strip(b"\0"):
                    raise _not_whole(path, "something behind its end")
            return
        header = _header(path, block)
        if header.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE):
            found = _records(path, _extension(path, stream, header))
            if header.type != tarfile.XGLTYPE:
                extended |= found
            elif not found.keys().isdisjoint(("path", "size")):
                raise _not_whole(path, "one name or size for all members")
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            content = _extension(path, stream, header)
            extended["path"] = _text(path, content.removesuffix(b"\0"))
        elif header.type == tarfile.GNUTYPE_LONGLINK:
            _extension(path, stream, header)  # the name that a link leads to
        else:
            size = extended.get("size", "")
            header.name = extended.get("path", header.name)
            header.size = int(size) if size else header.size
            header.is_sparse = any(key.startswith("GNU.sparse.") for key in extended)
            extended = {}
            yield header
    raise _not_whole(path, "an end without the blocks that mark it")


def _header(path: Path, block: bytes) -> _Member:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise _not_whole(path, f"a header that is no header: {error}") from error
    field = block[:100].rstrip(b"\0")
    if b"\0" in field:  # where the name would be cut
        info.name = field.decode("utf-8", "backslashreplace")
    _text(path, info.name.encode("utf-8", "surrogateescape"))
    if info.size < 0:
        raise _not_whole(path, f"{info.size} bytes of {info.name!r}")
    return _Member(info.name, info.size, info.type)


def _extension(path: Path, stream: UnpackedStream, header: _Member) -> bytes:
    if header.size > _MAX_EXTENSION:
        raise _not_whole(path, f"an extended header of {header.size:,} bytes")
    return _padded(path, stream, header.size, "an extended header")


def _padded(path: Path, stream: UnpackedStream, size: int, what: str) -> bytes:
    whole = -(-size // _BLOCK) * _BLOCK
    content = stream.read(whole)
    if len(content) != whole:
        raise _not_whole(path, f"an end within {what}")
    return content[:size]


def _records(path: Path, content: bytes) -> dict[str, str]:
    """The `length key=value` lines of an extended header."""
    records = {}
    position = 0
    while position < len(content):
        digits = content[position : position + 8].split(b" ")[0]
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        record = content[position : position + length]
        key, found, value = record[len(digits) + 1 : -1].partition(b"=")
        if not found or len(record) != length or not record.endswith(b"\n"):
            raise _not_whole(path, "an extended header that is none")
        if key in (b"path", b"size") or key.startswith(b"GNU.sparse."):
            records[_text(path, key)] = _text(path, value)
        position += length
    size = records.get("size")
    if size is not None and not (size.isdecimal() and len(size) < 20):
        raise _not_whole(path, f"a member of {size[:20]!r} bytes")
    return records


def _problem(member: _Member) -> tuple[str, str] | None:
    if member.is_sparse:
        return "a file or a folder", "a sparse file"
    if member.type in _FILES:
        return None
    if member.type == tarfile.DIRTYPE:
        return ("an empty folder", "a folder with content") if member.size else None
    received = _REFUSED.get(member.type, f"a member of type {member.type!r}")
    return "a file or a folder", received


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_whole(path, f"the name {content[:100]!r}, no UTF-8") from error


def _not_whole(path: Path, received: str) -> ValueError:
    return ValueError(
        f"archive {path} must be a whole tar archive. Received: {received}"
    )
