"""Bringing CIFAR-100 in from its archive, for CIFAR-FS and FC100."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from tfmeta.datasets.cifar100.archive import ARCHIVE, EACH, URL, check_archive
from tfmeta.datasets.cifar100.class_lists import superclasses
from tfmeta.datasets.cifar100.table import table_path, write_cifar100
from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.datasets.import_progress import ImportProgress, OnProgress
from tfmeta.datasets.storage.table_folder import open_table
from tfmeta.datasets.tfds_archives import (
    CheckedArchive,
    import_folder,
    lay_into_cache,
    prepare,
)


@dataclasses.dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Args:
        table_path: The table that CIFAR-FS and FC100 are taken from.
        archive: What was found in the archive.
        already_prepared: Whether an earlier import or download had already
            prepared CIFAR-100, so that the archive was only checked.
    """

    table_path: Path
    archive: CheckedArchive
    already_prepared: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each; often nothing."""
        if not self.already_prepared:
            return self.archive.notes
        return (
            *self.archive.notes,
            f"{self.table_path.parent.parent} already held CIFAR-100, which CIFAR-FS "
            "and FC100 share; this archive was only checked.",
        )


def import_cifar_fs(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports CIFAR-100 for CIFAR-FS, without a connection.

    The archive is checked, laid into the download cache of TensorFlow Datasets,
    prepared by its own `cifar100` builder (so that `tfds.load("cifar100",
    data_dir=...)` works too) and written into one table, which FC100 uses as
    well. Running it again does no harm; a killed import is simply run again.

    Args:
        source: Folder with `cifar-100-binary.tar.gz`, or the archive.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the pieces done, and of all: each picture
            counts once for being checked, once for being prepared and once for
            being read.

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
    target = resolve_data_dir(data_dir)
    builder = cifar100_builder(target)
    pictures = sum(EACH.values()) * len(superclasses())
    progress = ImportProgress(on_progress, 3 * pictures, step=100)
    archive = check_archive(
        archive_path, builder.url_infos[URL].checksum, on_pictures=progress.advance
    )
    path = table_path(target)
    with import_folder(target, "cifar100") as folder:
        already_prepared = builder.is_prepared()
        if already_prepared:
            progress.advance(pictures)
        else:
            lay_into_cache("cifar100", archive, target, folder)
            builder = prepare("cifar100", target, folder, on_example=progress.advance)
        if path.exists():
            open_table(path, memory_map=True)  # which refuses a damaged one
            progress.advance(pictures)
        else:
            write_cifar100(builder, path, on_pictures=progress.advance)
    return ImportReport(path, archive, already_prepared)


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


def cifar100_builder(data_dir: Path) -> Any:
    """The `cifar100` builder of TensorFlow Datasets, for a data folder."""
    import tensorflow_datasets as tfds

    return tfds.builder("cifar100", data_dir=data_dir)


def _find(source: Path) -> Path:
    path = source / ARCHIVE if source.is_dir() else source
    if not path.is_file():
        raise FileNotFoundError(
            f"`source` must be the folder that holds {ARCHIVE} (CIFAR-100, binary "
            f"version, {URL}), or that archive. Received: {source}, "
            f"{'a folder without it' if source.is_dir() else 'where nothing is'}"
        )
    return path
