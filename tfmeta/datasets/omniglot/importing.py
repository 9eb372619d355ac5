"""Bringing Omniglot in from archives that are already on this machine."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np

from tfmeta.datasets.data_dir import one_at_a_time, resolve_data_dir
from tfmeta.datasets.import_report import ImportProgress, ImportReport, OnProgress
from tfmeta.datasets.omniglot.archives import (
    ARCHIVES,
    DRAWINGS_PER_CHARACTER,
    Drawings,
    read_drawings,
)
from tfmeta.datasets.omniglot.earlier import packed_path
from tfmeta.datasets.omniglot.lake_runs import runs_path, write_runs
from tfmeta.datasets.omniglot.pictures import (
    SCAN_SIZE,
    SIZE,
    size_path,
    write_scans,
    write_size,
)
from tfmeta.datasets.omniglot.runs_archive import (
    PICTURES,
    RUNS_ARCHIVE,
    read_runs_archive,
)
from tfmeta.datasets.write_once import write_once

Runs = tuple[np.ndarray, np.ndarray]

_RUNS_NOTE = "Lake's one-shot test is ready: tfmeta evaluate RUN --protocol lake"


def import_omniglot(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports Omniglot from its two archives, without a connection.

    The archives are opened and counted picture by picture and written into two
    tables, of the scans and of 28x28 pictures. Running it again does no harm; a
    killed import is simply run again.

    Archives that were zipped anew differ from the authors' in their checksum
    but not in their pictures. They are accepted when they are complete, and the
    report says so.

    Where `all_runs.zip` lies beside them, the pictures of Lake's one-shot test
    come along, for `load_lake_runs`. Once Omniglot is in the data folder, that
    archive may also lie alone.

    Args:
        source: Folder with `images_background.zip` and `images_evaluation.zip`,
            and with or without `all_runs.zip`.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the pieces done, and of all: each picture
            counts once for being checked and once for each table it is
            written into.

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
    source, target = Path(source).expanduser(), resolve_data_dir(data_dir)
    if _holds_runs_alone(source) and _holds_omniglot(target):
        progress = ImportProgress(on_progress, 2 * PICTURES, step=100)
        alone = _read_runs(source, progress)
        with one_at_a_time(target, "omniglot"):
            there = _keep_runs(alone, target, progress)
        return ImportReport((runs_path(target),), there, (_RUNS_NOTE,))
    _check_source(source)
    with_runs = (source / RUNS_ARCHIVE).is_file()
    pictures = sum(a.characters for a in ARCHIVES) * DRAWINGS_PER_CHARACTER
    pieces = 3 * pictures + 2 * PICTURES * with_runs
    progress = ImportProgress(on_progress, pieces, step=100)
    # All archives are read before anything is written.
    runs = _read_runs(source, progress) if with_runs else None
    drawings, notes = _read_drawings(source, progress)
    tables = [size_path(target, size) for size in (SCAN_SIZE, SIZE)]
    writers = [
        partial(write_scans, drawings, target),
        partial(write_size, SIZE, target),
    ]
    with one_at_a_time(target, "omniglot"):
        there = all(
            [
                write_once(path, write, progress, pictures)
                for path, write in zip(tables, writers, strict=True)
            ]
        )
        if runs is not None:
            _keep_runs(runs, target, progress)
            tables.append(runs_path(target))
            notes += (_RUNS_NOTE,)
    if there:
        notes += (
            f"{target} already held Omniglot, prepared earlier; these archives were "
            "only checked.",
        )
    return ImportReport(tuple(tables), there, notes)


def _read_drawings(
    source: Path, progress: ImportProgress
) -> tuple[Drawings, tuple[str, ...]]:
    """The drawings of all archives, and what the user should know of these."""
    labels: dict[str, str] = {}
    drawings: Drawings = {}
    notes: tuple[str, ...] = ()
    for expected in ARCHIVES:
        archive, found = read_drawings(
            source, expected, labels, on_picture=progress.advance
        )
        drawings |= found
        notes += archive.notes
    return drawings, notes


def _read_runs(source: Path, progress: ImportProgress) -> Runs:
    return read_runs_archive(source / RUNS_ARCHIVE, on_picture=progress.advance)


def _keep_runs(runs: Runs, data_dir: Path, progress: ImportProgress) -> bool:
    write = partial(write_runs, *runs, data_dir)
    return write_once(runs_path(data_dir), write, progress, PICTURES)


def _holds_runs_alone(source: Path) -> bool:
    others = any((source / archive.file_name).exists() for archive in ARCHIVES)
    return (source / RUNS_ARCHIVE).is_file() and not others


def _holds_omniglot(data_dir: Path) -> bool:
    return size_path(data_dir).exists() or packed_path(data_dir, SIZE).exists()


def _check_source(source: Path) -> None:
    names = [archive.file_name for archive in ARCHIVES]
    if not source.is_dir():
        raise FileNotFoundError(
            f"`source` must be the folder with {' and '.join(names)}. "
            f"Received: {source}, which is no folder"
        )
    missing = [name for name in names if not (source / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"`source` must hold {' and '.join(names)}. Received: {source} without "
            f"{', '.join(missing)}"
        )
