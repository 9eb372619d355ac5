"""Bringing Omniglot in from archives that are already on this machine."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.datasets.import_progress import ImportProgress, OnProgress
from tfmeta.datasets.omniglot import pack
from tfmeta.datasets.omniglot.archives import ARCHIVES, URL, check_archive
from tfmeta.datasets.omniglot.lake_runs import write_runs
from tfmeta.datasets.omniglot.runs_archive import (
    PICTURES,
    RUNS_ARCHIVE,
    read_runs_archive,
)
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
        data_dir: The data folder.
        packed_path: The packed file that `tfmeta.datasets.load` reads.
        archives: One report for each archive of the data set.
        already_prepared: Whether an earlier import or download had already
            prepared the data set, so that these archives were only checked.
        runs: Whether the pictures of Lake's one-shot test were imported.
    """

    data_dir: Path
    packed_path: Path
    archives: tuple[CheckedArchive, ...]
    already_prepared: bool
    runs: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each; often nothing."""
        notes = [note for archive in self.archives for note in archive.notes]
        if self.runs:
            notes.append(
                "Lake's one-shot test is ready: tfmeta evaluate RUN --protocol lake"
            )
        if self.already_prepared and self.archives:
            notes.append(
                f"{self.data_dir} already held Omniglot, prepared earlier; these "
                "archives were only checked."
            )
        return tuple(notes)


def import_omniglot(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports Omniglot from its four archives, without a connection.

    The archives are opened and counted picture by picture, laid into the
    download cache of TensorFlow Datasets, prepared by its own `omniglot`
    builder (so that `tfds.load("omniglot", data_dir=...)` works too) and packed
    into one file of 28x28 pictures. Running it again does no harm; a killed
    import is simply run again.

    Archives that were zipped anew differ from the authors' in their checksum
    but not in their pictures. They are accepted when they are complete, and the
    report says so.

    Where `all_runs.zip` lies beside them, the pictures of Lake's one-shot test
    come along, for `load_lake_runs`. Once Omniglot is in the data folder, that
    archive may also lie alone.

    Args:
        source: Folder with `images_background.zip`, `images_evaluation.zip`,
            `images_background_small1.zip` and `images_background_small2.zip`,
            and with or without `all_runs.zip`.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the pieces done, and of all: each picture
            counts once for being checked, unpacked, prepared and packed.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When the folder or one of the archives is missing.
        ValueError: When an archive is damaged, unsafe or not complete.

    Example:

    ```python
    report = import_omniglot("~/Downloads/omniglot")
    print(*report.notes, sep="\n")
    table = tfmeta.datasets.load("omniglot")
    ```

    Reference: B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum (2015),
    *Human-level concept learning through probabilistic program induction*,
    Science 350(6266).
    """
    source = Path(source).expanduser()
    target = resolve_data_dir(data_dir)
    packed = pack.packed_path(target)
    if _holds_runs_alone(source) and packed.exists():
        with import_folder(target, "omniglot"):
            write_runs(*read_runs_archive(source / RUNS_ARCHIVE), target)
        return ImportReport(target, packed, (), already_prepared=True, runs=True)
    _check_source(source)
    with_runs = (source / RUNS_ARCHIVE).is_file()
    builder = omniglot_builder(target)
    official = {url: info.checksum for url, info in builder.url_infos.items()}

    pictures = sum(count for _, count in ARCHIVES.values())
    pieces = 3 * pictures + pack.CHARACTERS * pack.PICTURES_PER_CHARACTER
    pieces += PICTURES * with_runs
    progress = ImportProgress(on_progress, pieces, step=100)
    # All archives are read before anything is written.
    runs = (
        read_runs_archive(source / RUNS_ARCHIVE, on_picture=progress.advance)
        if with_runs
        else None
    )
    labels: dict[str, str] = {}
    archives = tuple(
        check_archive(
            source / name, official[URL + name], labels, on_picture=progress.advance
        )
        for name in ARCHIVES
    )
    with import_folder(target, "omniglot") as folder:
        already_prepared = builder.is_prepared()
        if already_prepared:
            progress.advance(2 * pictures)
        else:
            for archive in archives:
                lay_into_cache(
                    *("omniglot", archive, target, folder), on_member=progress.advance
                )
            builder = prepare("omniglot", target, folder, on_example=progress.advance)
        if already_prepared and packed.exists() and _is_whole(packed):
            progress.advance(pieces)
        else:
            pack.pack_prepared(builder, packed, on_picture=progress.advance)
        if runs is not None:
            write_runs(*runs, target)
    return ImportReport(target, packed, archives, already_prepared, with_runs)


def omniglot_builder(data_dir: Path) -> Any:
    """The `omniglot` builder of TensorFlow Datasets, for a data folder."""
    import tensorflow_datasets as tfds

    return tfds.builder("omniglot", data_dir=data_dir)


def _holds_runs_alone(source: Path) -> bool:
    others = any((source / name).exists() for name in ARCHIVES)
    return (source / RUNS_ARCHIVE).is_file() and not others


def _check_source(source: Path) -> None:
    if not source.is_dir():
        raise FileNotFoundError(
            f"`source` must be the folder with {', '.join(ARCHIVES)}. "
            f"Received: {source}, which is no folder"
        )
    missing = [name for name in ARCHIVES if not (source / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"`source` must hold all of {', '.join(ARCHIVES)} (TensorFlow Datasets "
            f"prepares them together). Received: {source} without "
            f"{', '.join(missing)}"
        )


def _is_whole(packed: Path) -> bool:
    try:
        pack.read_packed(packed)
    except ValueError:
        return False
    return True
