"""Unknown classes: figures of a trained run, and the threshold that it keeps."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

from tfmeta.episodes import Episodes
from tfmeta.evaluation import OpenSetResult, Threshold, evaluate_open_set
from tfmeta.learners import FewShotLearner
from tfmeta.runs.config import HeldOutEpisodeConfig, TrainConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

# 2 has the classes of each episode; results of before are read without.
OPEN_SET_FORMAT_VERSION = 2

_TASKS = 10


def draw_open_set_episodes(
    config: TrainConfig,
    task: HeldOutEpisodeConfig | None = None,
    *,
    unknown_ways: int | None = None,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
) -> tuple[Episodes, Episodes]:
    """Test and validation episodes with unknown classes.

    The tasks are by default the run's own; `unknown_ways` are by default as many as
    the known ones. Without unlabelled examples, whatever the run has.

    Raises:
        ValueError: When validation or test has too few classes.
    """
    task = task or config.test
    ways = task.ways
    unknown_ways = ways if unknown_ways is None else unknown_ways
    drawn = []
    for split in ("test", "validation"):
        table = load_split(config, split, data_dir)
        classes = len(set(table.origins))
        if ways + unknown_ways > classes:
            raise ValueError(
                f"`ways + unknown_ways` must be at most the number of {split} classes "
                f"of different origin, which is {classes}. Received: {ways} + "
                f"{unknown_ways}; choose fewer by --ways and --unknown-ways"
            )
        drawn.append(
            Episodes(
                table,
                **dataclasses.replace(
                    task, ways=ways + unknown_ways, unlabelled=0, distractors=0
                ),
                tasks=_TASKS,
                seed=seed,
            )
        )
    test, validation = drawn
    return test, validation


def evaluate_run_on_open_set(
    folder: RunFolder,
    learner: FewShotLearner,
    episodes: Episodes,
    validation: Episodes,
    *,
    unknown_ways: int,
    num_episodes: int = 1000,
    on_progress: Callable[[int, int], None] | None = None,
    keep: bool = True,
) -> OpenSetResult:
    """Measures a learner of the run; with `keep`, adds to `open_set.json`.

    A result with the same protocol is replaced.

    Raises:
        ValueError: When test classes were seen in training or validation, or
            when `open_set.json` is damaged.
        FileNotFoundError: When the run does not say which were.
    """
    if keep:
        read_open_set_results(folder)  # A damaged file shows before the work is done.
    result = evaluate_open_set(
        learner,
        episodes,
        validation,
        unknown_ways=unknown_ways,
        num_episodes=num_episodes,
        seen_classes=folder.seen_classes(),
        on_progress=on_progress,
    )
    if keep:
        _results(folder).keep(result)
    return result


def read_open_set_results(folder: RunFolder) -> list[OpenSetResult]:
    """All results in the run's `open_set.json`, none when there is no such file.

    Raises:
        ValueError: When the file is damaged or from a newer version.
    """
    return _results(folder).read()


def find_threshold(folder: RunFolder, *, ways: int, shots: int) -> Threshold:
    """The threshold that was fitted on the episodes most like a task.

    A threshold is of one number of ways and shots. Those nearest in ways are
    looked at first, then those nearest in shots, then the latest.

    Raises:
        FileNotFoundError: When the run has none.
        ValueError: When its file is damaged or from a newer version.
    """
    thresholds = [r.threshold for r in reversed(read_open_set_results(folder))]
    if not thresholds:
        raise FileNotFoundError(
            f"{folder.open_set_file} must hold a threshold. Received: none; fit one "
            f"with `tfmeta evaluate {folder.path} --open-set --ways {ways} --shots "
            f"{shots}`"
        )
    return min(
        thresholds,
        key=lambda t: (
            abs(t.protocol["ways"] - ways),
            abs(t.protocol["shots"] - shots),
        ),
    )


def _results(folder: RunFolder) -> ResultFile[OpenSetResult]:
    return ResultFile(
        folder.open_set_file,
        OpenSetResult.from_json,
        version=OPEN_SET_FORMAT_VERSION,
        command="tfmeta evaluate --open-set",
    )
