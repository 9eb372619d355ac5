"""Evaluates a trained run on test episodes and keeps the figures."""

from __future__ import annotations

import os
from collections.abc import Callable

from tfmeta.episodes import Episodes
from tfmeta.evaluation import (
    EvaluationResult,
    RealisticEpisodes,
    evaluate,
    evaluation_protocol,
    realistic_episodes,
)
from tfmeta.learners import FewShotLearner
from tfmeta.runs.config import EpisodeConfig, HeldOutEpisodeConfig, TrainConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

# 2 has calibration, wrong answers by class, and what belongs beside a transductive
# figure; 3 the classes of each episode. Results of before are read without.
METRICS_FORMAT_VERSION = 3

# Ten tasks a step divide every round number of episodes.
_TASKS = 10


def draw_test_episodes(
    config: TrainConfig,
    task: EpisodeConfig | None = None,
    *,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
) -> Episodes:
    """Test episodes of a run's data set, by default of the run's own tasks."""
    table = load_split(config, "test", data_dir)
    return Episodes(table, **(task or config.test), tasks=_TASKS, seed=seed)


def draw_realistic_episodes(
    config: TrainConfig,
    task: HeldOutEpisodeConfig | None = None,
    *,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
) -> RealisticEpisodes:
    """Uniform, same-group and many-way test episodes of a run's data set."""
    task = task or config.test
    return realistic_episodes(
        load_split(config, "test", data_dir),
        ways=task.ways,
        shots=task.shots,
        queries=task.queries,
        tasks=_TASKS,
        seed=seed,
    )


def evaluate_run(
    folder: RunFolder,
    learner: FewShotLearner,
    episodes: Episodes,
    *,
    num_episodes: int = 1000,
    on_progress: Callable[[int, int], None] | None = None,
    keep: bool = True,
) -> EvaluationResult:
    """Measures a learner of the run; with `keep`, adds to `metrics.json`.

    A result with the same protocol is replaced: it is the same figure.

    Raises:
        ValueError: When test classes were seen in training or validation, or
            when `metrics.json` is damaged.
        FileNotFoundError: When the run does not say which were.
    """
    if keep:
        read_results(folder)  # A damaged file shows before the work is done.
    result = evaluate(
        learner,
        episodes,
        num_episodes=num_episodes,
        seen_classes=folder.seen_classes(),
        on_progress=on_progress,
    )
    if keep:
        keep_result(folder, result)
    return result


def keep_result(folder: RunFolder, result: EvaluationResult) -> None:
    """Adds a result to the run's `metrics.json`, in place of one of its protocol."""
    _results(folder).keep(result)


def find_result(
    folder: RunFolder, episodes: Episodes, *, num_episodes: int
) -> EvaluationResult | None:
    """The figure of these episodes that the run holds already, or `None`.

    Raises:
        ValueError: As `read_results`.
    """
    wanted = evaluation_protocol(episodes, num_episodes)
    for result in read_results(folder):
        if result.protocol == wanted:
            return result
    return None


def read_results(folder: RunFolder) -> list[EvaluationResult]:
    """All results in the run's `metrics.json`, none when there is no such file.

    Raises:
        ValueError: When the file is damaged or from a newer version.
    """
    return _results(folder).read()


def _results(folder: RunFolder) -> ResultFile[EvaluationResult]:
    return ResultFile(
        folder.metrics_file,
        EvaluationResult.from_json,
        version=METRICS_FORMAT_VERSION,
        command="tfmeta evaluate",
    )
