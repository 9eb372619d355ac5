"""What results look like in a file, as their `to_json` writes them now and did before.

Files may come from anywhere: they are checked against this before they are read.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class KeptProtocol(TypedDict):
    """Of `EvaluationResult.protocol`, what others than the evaluator read."""

    table: str
    fingerprint: str
    ways: int
    shots: int
    queries: int
    episodes: int


class KeptPretraining(TypedDict):
    """A `Pretraining`."""

    data: str
    test_classes_seen: list[str] | bool | None


class _KeptReliability(TypedDict):
    count: list[float]
    probability: list[float]
    correct: list[float]


class _KeptTransduction(TypedDict):
    alone: list[float]
    unequal: list[float] | None
    unequal_queries: int


class KeptClassName(TypedDict):
    """A class of a result."""

    name: str
    made_from: str


class _KeptClass(KeptClassName, total=False):
    correct: int
    total: int
    taken_for: dict[str, int]


class _Shared(TypedDict):
    transductive: bool


class _SharedLater(_Shared, total=False):
    pretraining: KeptPretraining | None
    episode_classes: list[list[int]] | None


class _EvaluationAtFirst(_SharedLater):
    protocol: KeptProtocol
    classes: list[_KeptClass]


class KeptEvaluation(_EvaluationAtFirst, total=False):
    """An `EvaluationResult`."""

    figure: Literal["accuracy", "mean_squared_error"]
    episode_accuracies: list[float]
    episode_squared_errors: list[float]
    episode_auroc: list[float] | None
    reliability: _KeptReliability | None
    transduction: _KeptTransduction | None


class KeptThreshold(TypedDict):
    """A `Threshold`."""

    score: str
    value: float
    recall: float
    validation_auroc: dict[str, float]
    protocol: KeptProtocol


class _KeptFigure(TypedDict):
    episodes: list[float]


class _OpenSetAtFirst(_SharedLater):
    protocol: KeptProtocol
    threshold: KeptThreshold
    figures: dict[str, _KeptFigure]


class KeptOpenSet(_OpenSetAtFirst, total=False):
    """An `OpenSetResult`."""

    classes: list[KeptClassName]


class _KeptLakeRun(TypedDict):
    alphabet: str
    labels: list[int]
    predicted: list[int]


class KeptLake(_SharedLater):
    """A `LakeResult`."""

    size: int
    runs: list[_KeptLakeRun]


def check_ids(rows: Any, count: int, episodes: int) -> None:
    """Checks the classes of episodes against their number.

    Args:
        rows: Int `(episodes, ways)`, -1 where padded, or `None`.
        count: How many classes there are.
        episodes: How many episodes there are.

    Raises:
        ValueError: When they do not fit.
    """
    if rows is None:
        return
    if len(rows) != episodes or (rows.size and rows.max() >= count):
        raise ValueError(
            f"`episode_classes` must name some of {count} classes for each of "
            f"{episodes:,} episodes. Received: {len(rows):,} rows"
            + (f" and class {rows.max()}" if rows.size else "")
        )
