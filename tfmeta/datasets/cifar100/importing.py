"""Bringing CIFAR-100 in from its archive, for CIFAR-FS and FC100."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tfmeta.datasets.cifar100.archive import ARCHIVE, EACH, URL, read_cifar_archive
from tfmeta.datasets.cifar100.class_lists import superclasses
from tfmeta.datasets.cifar100.table import NAME, write_cifar100
from tfmeta.datasets.data_dir import one_at_a_time, table_path
from tfmeta.datasets.import_report import ImportProgress, ImportReport, OnProgress
from tfmeta.datasets.write_once import write_once


def import_cifar_fs(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports CIFAR-100 for CIFAR-FS, without a connection.

    The archive is checked and written into one table, which FC100 uses as well.
    Running it again does no harm; a killed import is simply run again.

    Args:
        source: Folder with `cifar-100-binary.tar.gz`, or the archive.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the pieces done, and of all: each picture
            counts once for being checked and once for being written.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When the archive is missing.
        ValueError: When the archive is damaged, unsafe or not complete.
        OSError: When the disk is too small.

    Example:

    ```python
    report = import_cifar_fs("~/Downloads")
    print(*report.notes, sep="\n")
    table = tfmeta.datasets.load("cifar_fs")
    ```

    Reference: A. Krizhevsky (2009), *Learning Multiple Layers of Features from
    Tiny Images*, technical report, University of Toronto.
    """
    archive_path = _find(Path(source).expanduser())
    path = table_path(data_dir, NAME)
    pictures = sum(EACH.values()) * len(superclasses())
    progress = ImportProgress(on_progress, 2 * pictures, step=100)
    archive, found = read_cifar_archive(archive_path, on_pictures=progress.advance)
    notes = archive.notes
    with one_at_a_time(data_dir, NAME):
        there = write_once(
            path,
            partial(write_cifar100, found, path),
            progress,
            pictures,
        )
    if there:
        notes += (
            f"{path.parent.parent} already held CIFAR-100, which CIFAR-FS and FC100 "
            "share; this archive was only checked.",
        )
    return ImportReport((path,), there, notes)


def import_fc100(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Imports CIFAR-100 for FC100, which is the same as for CIFAR-FS.

    Args:
        source: As of `import_cifar_fs`.
        data_dir: As of `import_cifar_fs`.
        on_progress: As of `import_cifar_fs`.

    Returns:
        The report.

    Raises:
        FileNotFoundError: When the archive is missing.
        ValueError: When the archive is damaged, unsafe or not complete.
        OSError: When the disk is too small.
    """
    return import_cifar_fs(source, data_dir, on_progress=on_progress)


def _find(source: Path) -> Path:
    path = source / ARCHIVE if source.is_dir() else source
    if not path.is_file():
        raise FileNotFoundError(
            f"`source` must be the folder that holds {ARCHIVE} (CIFAR-100, binary "
            f"version, {URL}), or that archive. Received: {source}, "
            f"{'a folder without it' if source.is_dir() else 'where nothing is'}"
        )
    return path
