"""What the JSON file of a table looks like: it may come from anywhere."""

from __future__ import annotations

from typing import Any, TypedDict

from tfmeta.evaluation.kept import KeptPretraining
from tfmeta.runs.measuring.registry import protocols_in_tables
from tfmeta.runs.run_folder import History


class _Task(TypedDict):
    ways: int
    shots: int


class _Config(TypedDict):
    """Of a configuration in today's form, what a table shows."""

    epochs: int
    steps_per_epoch: int
    protocol: str | None
    validation: _Task


class _Paper(TypedDict):
    authors: str
    year: int
    title: str


class _Published(TypedDict):
    percent: float
    source: str
    half_width: float | None
    checked: str | None


class _Seeds(TypedDict):
    mean: float
    standard_deviation: float
    half_width: float
    seeds: int


class _Column(TypedDict):
    published: _Published
    kind: str
    ways: int
    shots: int
    queries: int
    goal: float | None
    label: str
    goal_met: bool | None
    over_training_seeds: _Seeds | None


class _Beside(TypedDict):
    alone: float
    unequal_classes: float | None


class _FigureAtFirst(TypedDict):
    percent: float
    intervals: dict[str, list[float] | None]
    test_classes: int | None
    transductive: bool
    beside_transductive: _Beside | None
    protocol: dict[str, Any]


class _Figure(_FigureAtFirst, total=False):
    no_interval: str | None
    pretraining: KeptPretraining | None


class _Environment(TypedDict, total=False):
    """Of where a run was trained, what a table shows."""

    tfmeta: str
    commit: str | None
    processor: str
    usable_cores: int | None
    gpus: list[str]


class _Run(TypedDict):
    seed: int
    folder: str
    trained: bool
    training_seconds: float | None
    environment: _Environment
    history: History
    figures: list[_Figure | None]


class _RowAtAll(TypedDict):
    row: str
    title: str
    paper: _Paper
    note: str | None
    budget: float
    training: str
    command: str
    columns: list[_Column]
    runs: list[_Run]


class _FormerRow(_RowAtAll):
    config: dict[str, Any]


class _Row(_RowAtAll):
    config: _Config


class _TableAtAll(TypedDict):
    table: str
    test_episodes: int
    commit: str | None
    tfmeta: str


class FormerTable(_TableAtAll):
    """The content of a table of any format version."""

    rows: list[_FormerRow]


class KeptTable(_TableAtAll):
    """The content of a table of today's format version."""

    rows: list[_Row]


def check_columns(content: dict[str, Any]) -> None:
    """Checks that every run has a figure, or none, of every column.

    Raises:
        ValueError: When one does not, or an interval has not two ends or is none that a
            table has; names the row.
    """
    known = {
        name
        for protocol in protocols_in_tables().values()
        for name in protocol.intervals
    }
    for row in content["rows"]:
        for run in row["runs"]:
            figures = [f for f in run["figures"] if f is not None]
            ends = [
                e for f in figures for e in f["intervals"].values() if e is not None
            ]
            if len(run["figures"]) != len(row["columns"]) or any(
                len(both) != 2 for both in ends
            ):
                raise ValueError(
                    f"row {row['row']!r} must have a figure, or null, for each of "
                    f"{len(row['columns'])} columns, with intervals of two ends. "
                    f"Received: others in the run of seed {run['seed']}"
                )
            named = {name for figure in figures for name in figure["intervals"]}
            if not named <= known:
                raise ValueError(
                    f"row {row['row']!r} must have intervals over {', '.join(known)}. "
                    f"Received: {min(named - known)!r} in the run of seed {run['seed']}"
                )
