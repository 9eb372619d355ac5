"""Class tables on disk: written in a stream, opened as memory maps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.storage.building import TableBuilding
from tfmeta.datasets.storage.layout import TableLayout, layout_and_loader
from tfmeta.datasets.storage.opening import open_table

__all__ = ["TableLayout", "open_table", "save_table", "write_table"]

Item = tuple[int, Callable[[], np.ndarray | bytes | str]]


def write_table(
    path: str | os.PathLike[str],
    layout: TableLayout,
    items: Iterable[Item],
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a table example by example; goes on where a kill has stopped it.

    Until all is written, it lies in `<path>.building`. Start again with the
    same arguments after a kill: the examples that are there already are passed
    over, their loaders are not called. With another layout, of which
    `source_digest` is a part, it begins anew.

    Args:
        path: Folder that the table becomes.
        layout: What it holds.
        items: Pairs of a row and a function that gives its example: an array,
            for encoded pictures the bytes of a file, for text a str. The same
            rows in the same order each time, each row once.
        on_progress: Called with the number of examples written, and of all.

    Raises:
        FileExistsError: When there is something at `path`.
        ValueError: When an example does not fit the layout, or when a row
            comes twice or not at all.
        TypeError: When an example is of the wrong type.
        OSError: When the disk is too small or full, or when another process is
            writing this table.

    Example:

    ```python
    layout = TableLayout("toy", ("a", "b"), (2, 1), (28, 28, 1), "uint8")
    write_table("toy", layout, ((i, lambda i=i: read(i)) for i in range(3)))
    open_table("toy").class_sizes  # [2 1]
    ```
    """
    _write(Path(path), layout, items, on_progress, resume=True)


def _write(
    path: Path,
    layout: TableLayout,
    items: Iterable[Item],
    on_progress: Callable[[int, int], None] | None,
    *,
    resume: bool,
) -> None:
    building = TableBuilding(path, layout, resume=resume)
    try:
        total = layout.num_examples
        skipped = building.done
        seen = np.zeros(total, bool)
        for number, (row, load) in enumerate(items):
            if not 0 <= row < total:
                raise ValueError(
                    f"`items` of {path} must have rows from 0 to {total - 1}. "
                    f"Received: row {row}"
                )
            if seen[row]:
                raise ValueError(
                    f"`items` of {path} must have each row once. Received: row {row} "
                    "twice"
                )
            seen[row] = True
            if number >= skipped:
                building.write(row, load())
                if on_progress is not None:
                    on_progress(building.done, total)
            elif row != building.journal[number, 0]:
                raise ValueError(
                    f"`items` of {path} must come in the order they had when it was "
                    f"begun, item {number} with row {building.journal[number, 0]}. "
                    f"Received: row {row}; remove {building.folder} to begin anew"
                )
        if not seen.all():
            missing = np.flatnonzero(~seen)
            raise ValueError(
                f"`items` of {path} must have all {total:,} rows. Received: none for "
                f"{len(missing):,} of them, the first is {missing[0]}"
            )
        building.finish()
    finally:
        building.close()


def save_table(
    table: ClassTable,
    path: str | os.PathLike[str],
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a table that is there already; `open_table` opens it again.

    Encoded pictures stay encoded.

    Args:
        table: The table.
        path: Folder that it becomes.
        on_progress: Called with the number of examples written, and of all.

    Raises:
        FileExistsError: When there is something at `path`.
        OSError: When the disk is too small.

    Example:

    ```python
    save_table(tfmeta.datasets.load("glyphs", split="test"), "glyphs_test")
    ```
    """
    layout, load = layout_and_loader(table)
    # Two tables may have one layout: what a kill left is not gone on with.
    items = ((row, lambda row=row: load(row)) for row in range(table.num_examples))
    _write(Path(path), layout, items, on_progress, resume=False)
