"""How each kind of column is measured, found again, and described."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tfmeta.evaluation import ClassInterval, EvaluationResult
from tfmeta.learners import FewShotLearner
from tfmeta.reproduction.row import Column
from tfmeta.runs.config import EpisodeConfig, TrainConfig
from tfmeta.runs.evaluate import draw_test_episodes, evaluate_run, read_results
from tfmeta.runs.lake import evaluate_run_on_lake, read_lake_result
from tfmeta.runs.run_folder import RunFolder

# All figures of a table are of the same test episodes.
_SEED_OF_EPISODES = 0


def measure_column(
    column: Column,
    folder: RunFolder,
    learner: FewShotLearner,
    *,
    test_episodes: int,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> str:
    """Measures a trained learner, keeps the result in its run folder, and says it."""
    if column.kind == "lake":
        lake = evaluate_run_on_lake(
            folder, learner, data_dir=data_dir, on_progress=on_progress
        )
        return str(lake)
    config = folder.read_config()
    episodes = draw_test_episodes(
        config,
        _task(column, config),
        seed=_SEED_OF_EPISODES,
        data_dir=data_dir,
    )
    result = evaluate_run(
        folder,
        learner,
        episodes,
        num_episodes=test_episodes,
        on_progress=on_progress,
    )
    return str(result)


def find_figure(
    column: Column, folder: RunFolder, *, test_episodes: int
) -> dict[str, Any] | None:
    """The figure of a column, as the run folder keeps it; `None` without one.

    Returns:
        Plain values: `percent`, `intervals` by what they are over, each with its
        lower and upper end in percent or `None` where there is none, `no_interval`,
        the reason for that, `transductive`, in that case beside it the
        figures for queries one by one and for unequal classes, and what was
        measured.
    """
    if column.kind == "lake":
        return _find_lake(folder)
    result = _find_result(column, folder, test_episodes)
    if result is None:
        return None
    percent, half_width = 100 * result.accuracy, 100 * result.over_episode_draws
    over_classes = result.over_test_classes
    return {
        "percent": percent,
        "intervals": {
            "episode draws": [percent - half_width, percent + half_width],
            "test classes": _percent(over_classes),
        },
        "no_interval": over_classes.reason,
        "test_classes": result.num_clusters,
        "transductive": result.transductive,
        "beside_transductive": _beside(result),
        "protocol": result.protocol,
    }


def _task(column: Column, config: TrainConfig) -> EpisodeConfig:
    return config.test.with_given(
        ways=column.ways, shots=column.shots, queries=column.queries
    )


def _find_result(
    column: Column, folder: RunFolder, test_episodes: int
) -> EvaluationResult | None:
    wanted: dict[str, Any] = {
        **_task(column, folder.read_config()),
        "seed": _SEED_OF_EPISODES,
        "allow_same_origin": False,
        "augment": None,
        "episodes": test_episodes,
    }
    if not wanted["unlabelled"]:
        del wanted["unlabelled"], wanted["distractors"]
    # Whatever else a protocol names makes other episodes of them.
    data = {"table", "fingerprint", "tasks"}
    for result in read_results(folder):
        if {k: v for k, v in result.protocol.items() if k not in data} == wanted:
            return result
    return None


def _beside(result: EvaluationResult) -> dict[str, float | None] | None:
    beside = result.transduction
    if beside is None:
        return None
    unequal = None if beside.unequal is None else 100 * float(beside.unequal.mean())
    return {"alone": 100 * float(beside.alone.mean()), "unequal_classes": unequal}


def _find_lake(folder: RunFolder) -> dict[str, Any] | None:
    result = read_lake_result(folder)
    if result is None:
        return None
    over_alphabets = result.over_alphabets
    return {
        "percent": 100 * result.error,
        "intervals": {
            "trials": [100 * end for end in result.over_trials],
            "alphabets": _percent(over_alphabets),
        },
        "no_interval": over_alphabets.reason,
        "test_classes": None,
        "transductive": result.transductive,
        "beside_transductive": None,
        "protocol": result.protocol,
    }


def _percent(interval: ClassInterval) -> list[float] | None:
    return None if interval.ends is None else [100 * end for end in interval.ends]
