"""Trains a row of a table and measures its columns, as far as it is not done."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import keras

from tfmeta.reproduction.figures import find_figure
from tfmeta.reproduction.row import Row
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.earlier_results import complete_results
from tfmeta.runs.measuring.measure import measure
from tfmeta.runs.pictures import draw_curve
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train
from tfmeta.runs.training_plan import TrainingPlan


def train_row(
    row: Row,
    folder: RunFolder,
    *,
    seed: int = 0,
    budget: float = 1.0,
    data_dir: str | os.PathLike[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    plan: TrainingPlan | None = None,
) -> None:
    """Trains a row into a run folder, or goes on where it was stopped.

    A run that is trained already is left as it is. `plan` is that of the row, where
    it is made already.

    Raises:
        ValueError: When the folder holds another run, or the row cannot be
            trained, or its training fails with numbers that are not finite.
    """
    config = row.train_config(seed=seed, budget=budget)
    check_config(folder, config)
    if not folder.is_trained:
        train(
            config,
            folder,
            resume=True,
            data_dir=data_dir,
            callbacks=callbacks,
            plan=plan,
        )
    history = folder.read_history()
    if history and not folder.curve_picture.exists():
        draw_curve(history, config, folder.curve_picture)


def measure_row(
    row: Row,
    folder: RunFolder,
    *,
    test_episodes: int = 1000,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Measures the columns of a trained row that its run folder has no figure of.

    Args:
        row: The row.
        folder: Its trained run.
        test_episodes: Test episodes per figure.
        data_dir: Where data sets are kept, `None` for the default.
        on_progress: Called with the work done, and all work, of each column.

    Returns:
        What was measured now, in words.
    """
    complete_results(folder, data_dir=data_dir)
    learner = None
    said = []
    for column in row.columns:
        # One measurement may be of several columns.
        if find_figure(column, folder, test_episodes=test_episodes) is not None:
            continue
        learner = load_learner(folder) if learner is None else learner
        protocol = column.measured_by(test_episodes=test_episodes)
        said += measure(
            folder, learner, protocol, data_dir=data_dir, on_progress=on_progress
        )
    return [str(result) for result in said]


def check_config(folder: RunFolder, config: TrainConfig) -> None:
    """Checks that a folder is free, or holds a run of this configuration.

    Raises:
        FileNotFoundError: When something else is there.
        ValueError: When its configuration is another one.
    """
    folder.check_startable(resume=True)
    if not folder.exists:
        return
    for name, value, kept in config.differences(folder.read_config()):
        raise ValueError(
            f"{folder.path} must hold a run with {name}={value!r} for this row. "
            f"Received: {name}={kept!r}; name another folder with --output, or move "
            "the run away"
        )
