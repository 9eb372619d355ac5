"""Tables of an import that are written unless they are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfmeta.datasets.import_report import ImportProgress
from tfmeta.datasets.storage.table_folder import open_table


def write_once(
    path: Path,
    write: Callable[..., None],
    progress: ImportProgress,
    pieces: int,
) -> bool:
    """Writes a table, or opens the one that is there.

    Args:
        path: Folder of the table.
        write: Writes it, given `on_progress` as `write_table` is.
        progress: Advanced by all pieces of the table, either way.
        pieces: Their number.

    Returns:
        Whether it was there.

    Raises:
        ValueError: When the one that is there is damaged.
        OSError: When the disk is too small.
    """
    if not path.exists():
        write(on_progress=progress.part())
        return False
    open_table(path)
    progress.advance(pieces)
    return True
