"""What `tfmeta train` does and prints of every training, whatever it is of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tfmeta.callbacks import TrainingProgress
from tfmeta.cli.progress import RepeatedProgress
from tfmeta.console import Console
from tfmeta.learners import FewShotLearner
from tfmeta.registry import learner_entry
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.pictures import draw_curve
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_validation
from tfmeta.runs.train import train
from tfmeta.runs.training_plan import TrainingPlan

_Result = TypeVar("_Result")


def train_each_seed(
    console: Console,
    config: TrainConfig,
    paths: Mapping[int, Path],
    train_one: Callable[[TrainConfig, RunFolder], _Result],
) -> list[_Result]:
    """Trains one run after the other.

    Args:
        console: Where a line is left free behind each.
        config: What to train, but for the seed.
        paths: The run folder of each seed.
        train_one: Trains and measures one.

    Returns:
        What it returned of each.
    """
    results = []
    for seed, path in paths.items():
        own = dataclasses.replace(config, seed=seed)
        results.append(train_one(own, RunFolder(path)))
        console.say("")
    return results


def train_with_progress(
    console: Console,
    plan: TrainingPlan,
    folder: RunFolder,
    *,
    training: str,
    resume: bool,
    data_dir: Path | None,
) -> FewShotLearner:
    """Says what is trained, trains it, and draws its curve.

    Args:
        console: Where it is said.
        plan: What is trained.
        folder: Where the run is kept.
        training: What training is on, in words.
        resume: Whether to go on with what the folder holds.
        data_dir: Where data sets are kept, `None` for the default.

    Returns:
        The learner with the weights of its best epoch.
    """
    config = plan.config
    verb = "Going on with" if resume and folder.exists else "Training"
    if resume and not folder.exists:
        console.say(f"Note: there is nothing to go on with in {folder.path}")
    entry = learner_entry(config.learner)
    work = f"{training}, {config.steps:,} steps"
    if entry.trains_on == "nothing":
        verb, work = "Making", "nothing to train"
    console.say(
        f"{verb} a {entry.title} on {config.dataset}: {work}, into {folder.path}"
    )
    bar = TrainingProgress(
        console, training=training, validation=describe_validation(config)
    )
    features = RepeatedProgress(console, "computing features")
    try:
        learner = train(
            config,
            folder,
            resume=resume,
            data_dir=data_dir,
            callbacks=[bar],
            plan=plan,
            on_features=features,
        )
    finally:
        # Ctrl-C must not leave a terminal without its cursor.
        bar.stop()
        features.stop()
    history = folder.read_history()
    if history:
        draw_curve(history, config, folder.curve_picture)
    return learner
