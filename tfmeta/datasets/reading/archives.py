"""Reading archives that come from somewhere else, without trusting them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tfmeta.datasets.reading.member_names import GIB
from tfmeta.datasets.reading.tar_archives import looks_like_tar, read_tar
from tfmeta.datasets.reading.zip_archives import read_zip


def read_archive(
    path: str | os.PathLike[str],
    *,
    max_bytes: int = 4 * GIB,
    max_ratio: int = 200,
) -> Iterator[tuple[str, bytes]]:
    """Yields the files of an archive, one after the other, in memory.

    Nothing is written to disk. The kind of archive is told from its content:
    zip, or tar, which may be compressed by gzip, bzip2 or xz. Of a zip archive
    all names and declared sizes are checked before the first member is read,
    each member is read no further than its declared size and compared with its
    checksum. A tar archive is read once from its beginning to its end, and each
    member is checked when it comes: what was yielded may be followed by an
    error.

    Args:
        path: The archive.
        max_bytes: The most bytes that all members together may unpack to.
        max_ratio: The most times that a zip member of 1 MiB or more may grow
            when it is unpacked, or a compressed tar archive from its first MiB
            on; checked while it is unpacked.

    Yields:
        The name of each file, with `/` between folders, and its content.
        Folders are left out.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file is no archive, is truncated or damaged, is
            larger than allowed, or holds a member that is encrypted, is named
            twice, is a link, a device or a sparse file, or whose name is
            absolute or leads out of the folder. The message names archive and
            member.

    Example:

    ```python
    for name, content in read_archive("images_background.zip"):
        print(name, len(content))
    ```
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"archive {path} must be a file. Received: none there")
    # In this order: a tar archive may end with a zip archive that it holds.
    if looks_like_tar(path):
        yield from read_tar(path, max_bytes, max_ratio)
    elif zipfile.is_zipfile(path):
        yield from read_zip(path, max_bytes, max_ratio)
    else:
        raise ValueError(
            f"archive {path} must be a whole zip archive, or a tar archive, plain or "
            f"compressed by gzip, bzip2 or xz. Received: {path.stat().st_size:,} bytes "
            "of something else"
        )
