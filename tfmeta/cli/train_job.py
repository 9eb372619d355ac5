"""What `tfmeta train` does, step by step, and what it prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from tfmeta.callbacks import TrainingProgress
from tfmeta.cli.progress import RepeatedProgress, progress_bar
from tfmeta.datasets.registry import DATASETS
from tfmeta.evaluation import EvaluationResult
from tfmeta.evaluation.training_seeds import over_training_seeds
from tfmeta.export.version_folder import list_versions
from tfmeta.json_files import read_json
from tfmeta.registry import learner_entry
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import kind_of, load_split
from tfmeta.runs.export import export_run
from tfmeta.runs.measuring.standard import draw_test_episodes, evaluate_run
from tfmeta.runs.pictures import draw_curve, draw_episodes
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import train
from tfmeta.runs.training_data import describe_training


def run_training(
    config: TrainConfig,
    path: Path,
    *,
    resume: bool,
    test_episodes_count: int,
    data_dir: Path | None,
) -> None:
    """Trains, evaluates, draws, exports, and says what to type next."""
    console = Console(highlight=False, soft_wrap=True)
    folder = RunFolder(path)
    _train_and_measure(
        console,
        config,
        folder,
        resume=resume,
        test_episodes_count=test_episodes_count,
        data_dir=data_dir,
    )
    _say_what_is_there(console, folder)


def run_trainings(
    config: TrainConfig,
    paths: Mapping[int, Path],
    *,
    resume: bool,
    test_episodes_count: int,
    data_dir: Path | None,
) -> None:
    """Trains one run after the other, and says how far their figures spread.

    Args:
        config: What to train, but for the seed.
        paths: The run folder of each seed.
        resume: Whether to go on with what the folders hold.
        test_episodes_count: Test episodes after each training, the same for all.
        data_dir: Where data sets are kept, `None` for the default.
    """
    console = Console(highlight=False, soft_wrap=True)
    results = []
    for seed, path in paths.items():
        results.append(
            _train_and_measure(
                console,
                dataclasses.replace(config, seed=seed),
                RunFolder(path),
                resume=resume,
                test_episodes_count=test_episodes_count,
                data_dir=data_dir,
            )
        )
        console.print()
    console.print(str(over_training_seeds(results)), style="bold")
    console.print()
    console.print(f"The runs are in {', '.join(map(str, paths.values()))}.")


def _train_and_measure(
    console: Console,
    config: TrainConfig,
    folder: RunFolder,
    *,
    resume: bool,
    test_episodes_count: int,
    data_dir: Path | None,
) -> EvaluationResult:
    verb = "Going on with" if resume and folder.exists else "Training"
    entry = learner_entry(config.learner)
    table = None
    if entry.trains_on == "examples":  # The line names the number of its classes.
        table = load_split(config, "train", data_dir)
    work = f"{describe_training(config, table)}, {config.steps:,} steps"
    if entry.trains_on == "nothing":
        verb, work = "Making", "nothing to train"
    console.print(
        f"{verb} a {entry.title} on {config.dataset}: {work}, into {folder.path}"
    )
    bar = TrainingProgress(console)
    features = RepeatedProgress(console, "computing features")
    try:
        learner = train(
            config,
            folder,
            resume=resume,
            data_dir=data_dir,
            callbacks=[bar],
            train_table=table,
            on_features=features,
        )
    finally:
        # Ctrl-C must not leave a terminal without its cursor.
        bar.stop()
        features.stop()
    history = read_json(folder.history_file)
    if history:
        draw_curve(history, config, folder.curve_picture)

    episodes = draw_test_episodes(config, data_dir=data_dir)
    with progress_bar(console, "evaluating") as report:
        result = evaluate_run(
            folder,
            learner,
            episodes,
            num_episodes=test_episodes_count,
            data_dir=data_dir,
            on_progress=report,
        )
    if kind_of(episodes.table) == "pictures":
        draw_episodes(learner, episodes, folder.episodes_picture)
    if not list_versions(folder.saved_model):
        export_run(folder, learner, episodes.table)
    console.print()
    console.print(str(result), style="bold")
    return result


def _say_what_is_there(console: Console, folder: RunFolder) -> None:
    path, pictures = folder.path, folder.episodes_picture.exists()
    console.print()
    console.print(f"The run is in {path}:")
    for name, what in (
        (
            folder.learner_file.name,
            "the learner, for tfmeta.load",
        ),
        (folder.metrics_file.name, "the figures, per episode and per class"),
        *(
            [
                (
                    folder.episodes_picture.name,
                    "test episodes, predictions right and wrong",
                )
            ]
            if pictures
            else []
        ),
        *(
            [(folder.curve_picture.name, "the training curve")]
            if folder.curve_picture.exists()
            else []
        ),
        (f"{folder.saved_model.name}/1/", "the SavedModel, to serve"),
    ):
        console.print(f"  {name:16} {what}")
    console.print()
    console.print("What to type next:")
    by_names = folder.read_config().support == "attributes"
    known = '--classes "CAT,DOG"' if by_names else "--support FOLDER"
    others = ["tfmeta train --dataset omniglot   (see tfmeta datasets --help)"]
    classify = [f"tfmeta classify {path} {known} --query FOLDER"]
    for command in (
        f"tfmeta evaluate {path}{'' if by_names else ' --realistic'}",
        *(classify if pictures else []),
        *(others if folder.read_config().dataset in DATASETS else []),
    ):
        console.print(f"  {command}")
