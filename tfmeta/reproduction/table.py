"""A table of published figures: a folder with one JSON file per row."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from tfmeta.reproduction.row import ROW_FORMAT_VERSION, Row
from tfmeta.runs.run_folder import read_versioned

_TABLES = Path(__file__).parent / "tables"
NAMES: tuple[str, ...] = ("omniglot", "mini-imagenet")


@dataclasses.dataclass(frozen=True)
class ReproductionTable:
    """Rows that are shown together.

    Attributes:
        name: Name of the folder, and of the files that are written.
        rows: In the order of their papers.
    """

    name: str
    rows: tuple[Row, ...]

    def select(self, names: Sequence[str]) -> tuple[Row, ...]:
        """The rows of these names in the table's order; all when there is none.

        Raises:
            ValueError: For a name that is no row.
        """
        known = {row.name for row in self.rows}
        for name in names:
            if name not in known:
                raise ValueError(
                    f"`row` of table {self.name!r} must be one of "
                    f"{', '.join(row.name for row in self.rows)}. Received: "
                    f"row={name!r}"
                )
        return tuple(row for row in self.rows if not names or row.name in names)


def load_table(table: str | os.PathLike[str]) -> ReproductionTable:
    """Reads a table of the package, or one of the user's own.

    Args:
        table: A name of `NAMES`, or a folder with a JSON file per row, in the
            form of those in `tfmeta/reproduction/tables/`.

    Raises:
        ValueError: When there is no such table, or a file is not a row; names
            the file.

    Example:

    ```python
    for row in load_table("omniglot").rows:
        print(row.title, row.train_config().steps)
    ```
    """
    folder = _TABLES / table if table in NAMES else Path(table)
    if not folder.is_dir():
        raise ValueError(
            f"`table` must be one of {', '.join(NAMES)}, or a folder with a JSON file "
            f"for each row. Received: {os.fspath(table)!r}"
        )
    rows = [_read_row(path) for path in sorted(folder.glob("*.json"))]
    if not rows:
        raise ValueError(
            f"{folder} must hold a JSON file for each row. Received: a folder without"
        )
    rows.sort(key=lambda row: (row.paper.year, row.name))
    return ReproductionTable(folder.resolve().name, tuple(rows))


def _read_row(path: Path) -> Row:
    values = read_versioned(path, ROW_FORMAT_VERSION, ())
    try:
        return Row.from_json(path.stem, values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
