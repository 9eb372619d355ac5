"""What the `description` of a run's export looks like."""

from __future__ import annotations

from typing import Any, TypedDict

from tfmeta.json_types import check_type


class Learner(TypedDict):
    """What people call a learner, as the registry says it."""

    title: str
    summary: str
    family: str
    support: str


class Interval(TypedDict):
    """Over test classes, or why there is none."""

    ends: list[float] | None
    clusters: int
    reason: str | None


class Pretraining(TypedDict):
    """What an encoder was pre-trained on, and whether test classes were in it."""

    data: str
    test_classes_seen: Any


class Episodes(TypedDict):
    """The test episodes of a figure."""

    ways: Any
    shots: Any
    queries: Any
    episodes: int
    data: str
    test_classes: int
    seed: int | None
    same_group: bool
    unlabelled: int
    support: str
    query_dirichlet: float | None
    transductive: bool
    pretraining: Pretraining | None


class Recall(TypedDict):
    """How far the test classes lie apart."""

    classes: int
    median: float
    lowest: float
    lowest_class: str


class Beside(TypedDict):
    """What belongs beside a transductive figure."""

    alone: float
    unequal_classes: float | None


class AccuracyFigure(Episodes):
    """An accuracy."""

    accuracy: float
    over_episode_draws: float
    over_test_classes: Interval
    chance: float
    calibration_error: float | None
    class_recall: Recall | None
    beside_transductive: Beside | None


class OneOf(TypedDict):
    """One figure of an open-set evaluation."""

    mean: float
    over_episode_draws: float
    over_test_classes: Interval


class Threshold(TypedDict):
    """From which score on a query counts as one of a known class."""

    score: str
    value: float
    recall: float
    validation_episodes: int


class OpenSetFigure(Episodes):
    """An open-set evaluation."""

    unknown_ways: int
    figures: dict[str, OneOf]
    threshold: Threshold


class OverTasks(TypedDict):
    """A mean over test tasks, and the half-width of its interval over them."""

    mean: float
    half_width: float | None


class Columns(TypedDict):
    """Which column of a file is what; features and targets in their order."""

    task: str
    features: list[str]
    targets: list[str]


class RegressionFigure(TypedDict):
    """Errors on test tasks, of one target."""

    target: str
    data: str
    shots: int
    queries: int
    episodes: int
    seed: int
    test_tasks: int
    transductive: bool
    rmse: dict[str, OverTasks]
    mae: dict[str, OverTasks]


class _OfEveryRun(TypedDict):
    """What every run says."""

    learner: Learner
    training_data: str
    training_data_description: str
    training_data_licence: str
    light_ground: bool | None
    classes: dict[str, list[str]] | None
    training: str
    protocol: dict[str, Any]
    command: str | None
    commit: str | None
    failure: str | None
    test_figures: list[AccuracyFigure]
    open_set: list[OpenSetFigure]


class DescribedRun(_OfEveryRun, total=False):
    """All of it; the last two are of runs of regression, whose classes are tasks."""

    columns: Columns
    regression: list[RegressionFigure]


def as_described_run(description: Any) -> DescribedRun | None:
    """The description, where it is one of a run; a user's own may hold anything."""
    try:
        return check_type(description, DescribedRun, "`description`")
    except ValueError:
        return None
