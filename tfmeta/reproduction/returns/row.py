"""A row of the table of returns: what is trained, and what it is compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from tfmeta.json_types import check_type
from tfmeta.reproduction.row import ROW_FORMAT_VERSION
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import read_versioned

NAME = "control"
_FOLDER = Path(__file__).parents[1] / "tables" / NAME


class _Kept(TypedDict):
    group: str
    order: int
    title: str
    config: dict[str, Any]
    compare_to: str | None
    note: str


@dataclasses.dataclass(frozen=True)
class ReturnsRow:
    """One training, measured after updates.

    Attributes:
        name: Name of its file, and of its run folders.
        group: What the tasks are; rows of a group stand together.
        order: Place in the table.
        title: The method.
        config: What a configuration's JSON holds where it is not the default; the
            seed is left out.
        compare_to: Name of the row that it is compared with, task by task.
        note: A sentence for the table, e.g. of what was chosen otherwise.
    """

    name: str
    group: str
    order: int
    title: str
    config: Mapping[str, Any]
    compare_to: str | None
    note: str

    def train_config(self, *, seed: int = 0, budget: float = 1.0) -> TrainConfig:
        """What is trained; the epochs are multiplied by the budget."""
        config = TrainConfig.from_json({**self.config, "seed": seed})
        epochs = max(1, round(config.epochs * budget))
        return dataclasses.replace(config, epochs=epochs)

    def folder_name(self, *, seed: int = 0) -> str:
        """Name of the run folder."""
        return f"{self.name}-seed{seed}"


def load_returns_rows() -> tuple[ReturnsRow, ...]:
    """All rows, in their order.

    Raises:
        ValueError: When a file is no row; names it.
    """
    rows = []
    for path in sorted(_FOLDER.glob("*.json")):
        values = read_versioned(path, ROW_FORMAT_VERSION, ())
        values.pop("format_version", None)
        row = ReturnsRow(path.stem, **check_type(values, _Kept, path))
        row.train_config()
        rows.append(row)
    return tuple(sorted(rows, key=lambda row: row.order))


def select(rows: Sequence[ReturnsRow], names: Sequence[str]) -> list[ReturnsRow]:
    """The rows of these names; all when there is none.

    Raises:
        ValueError: For a name that is no row.
    """
    known = [row.name for row in rows]
    for name in names:
        if name not in known:
            raise ValueError(
                f"`row` of table {NAME!r} must be one of {', '.join(known)}. Received: "
                f"row={name!r}"
            )
    return [row for row in rows if not names or row.name in names]
