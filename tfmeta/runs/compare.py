"""Two trained runs on identical test episodes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

from tfmeta.episodes import Episodes
from tfmeta.evaluation import EvaluationResult, PairedComparison, compare
from tfmeta.evaluation.fingerprint import fingerprint
from tfmeta.runs.config import EpisodeConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.earlier_results import with_classes
from tfmeta.runs.measuring.on_episodes import find_result
from tfmeta.runs.measuring.standard import draw_test_episodes, evaluate_run
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

_DATA = ("dataset", "protocol", "size", "splits")
_NAMED = _DATA[:3]


@dataclasses.dataclass(frozen=True)
class ComparedRuns:
    """Two runs side by side.

    Attributes:
        first: Result of the first run.
        second: Result of the second run, on the same episodes.
        difference: First minus second.
    """

    first: EvaluationResult
    second: EvaluationResult
    difference: PairedComparison


def draw_common_episodes(
    first: RunFolder,
    second: RunFolder,
    task: EpisodeConfig | None = None,
    *,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
) -> Episodes:
    """Test episodes for both, by default of the first run's tasks.

    Raises:
        ValueError: When the runs are of different data.
    """
    ours, theirs = first.read_config(), second.read_config()
    episodes = draw_test_episodes(ours, task, seed=seed, data_dir=data_dir)
    if any(getattr(ours, name) != getattr(theirs, name) for name in _DATA):
        # One folder may have several names.
        other = fingerprint(load_split(theirs, "test", data_dir))
        if other != fingerprint(episodes.table):
            described = [
                ", ".join(f"{name}={getattr(config, name)!r}" for name in _NAMED)
                for config in (ours, theirs)
            ]
            raise ValueError(
                "runs compare on the same test data only. Received: "
                f"{first.path} with {described[0]} and {second.path} with "
                f"{described[1]}"
            )
    return episodes


def compare_runs(
    first: RunFolder,
    second: RunFolder,
    episodes: Episodes,
    *,
    num_episodes: int = 1000,
    data_dir: str | os.PathLike | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ComparedRuns:
    """Compares two runs; measures what their `metrics.json` lack, and adds it.

    Raises:
        ValueError: When test classes were seen in the training or validation of
            one, or when a file is damaged.
        FileNotFoundError: When a run is not trained, or does not say what it saw.
    """

    def result(folder: RunFolder) -> EvaluationResult:
        found = find_result(folder, episodes, num_episodes=num_episodes)
        if found is not None:
            if found.episode_classes is None:
                found = with_classes(found, episodes)
            return found
        return evaluate_run(
            folder,
            load_learner(folder),
            episodes,
            num_episodes=num_episodes,
            data_dir=data_dir,
            on_progress=on_progress,
        )

    ours, theirs = result(first), result(second)
    return ComparedRuns(ours, theirs, compare(ours, theirs))
