"""`tfmeta train`."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tfmeta.cli.command import Command
from tfmeta.cli.config_options import config_options
from tfmeta.cli.options import DATA_DIR, EPISODES, WORD, AnyPath, number_of_seeds
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.control_registry import PREFIX, is_control, policy_learner
from tfmeta.registry import family_of
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.control.defaults import families_in_words
from tfmeta.runs.defaults import default_config, with_full_paths
from tfmeta.runs.run_folder import RunFolder

_RUN = click.option(
    "--run",
    "run_path",
    type=AnyPath(made=True, file_okay=False, writable=True),
    metavar="FOLDER",
    help="Run folder. [default: runs/DATASET-seedSEED]",
)
_RESUME = click.option(
    "--resume", is_flag=True, help="Go on with a run that was stopped."
)
_SEEDS = click.option(
    "--seeds",
    type=number_of_seeds(2),
    metavar="SEEDS",
    help="Train with the seeds 0, 1, ... one after the other, into RUN-seed0, "
    "RUN-seed1, ..., and show how far they spread. [default: one training, of --seed]",
)
_TEST_EPISODES = click.option(
    "--test-episodes",
    type=EPISODES,
    metavar="EPISODES",
    default=1000,
    show_default=True,
    help="Fixed test episodes after training.",
)


_TASK = click.option(
    "--task",
    "environment",
    type=WORD,
    metavar="NAME",
    help="In place of --dataset: trains a policy on tasks that are environments: "
    f"{families_in_words()}. [default: none, --dataset]",
)


@click.command(cls=Command)
@config_options(
    after={
        "dataset": [_TASK],
        "protocol": [_RUN],
        "learner_arguments": [_RESUME],
        "seed": [_SEEDS],
        "learning_rate": [_TEST_EPISODES, DATA_DIR],
    }
)
def train(
    run_path: Path | None,
    resume: bool,
    seeds: int | None,
    test_episodes: int,
    data_dir: Path | None,
    environment: str | None,
    **options: Any,
) -> None:
    """Train a learner, evaluate it, write its SavedModel.

    Without an option it trains a Prototypical Network on generated glyphs in
    some five minutes. Defaults follow from the data set and, before it, from the
    learner; the run's config.json says what was taken.
    """
    chosen = {name: value for name, value in options.items() if value is not None}
    dataset = _dataset(chosen.pop("dataset", None), environment)
    if seeds is not None and "seed" in chosen:
        raise click.UsageError("--seeds names the seeds; it does not go with --seed.")
    base = Path("runs") / _short_name(dataset or TrainConfig.dataset)
    if seeds is not None:
        base = run_path or base
        paths = {n: base.with_name(f"{base.name}-seed{n}") for n in range(seeds)}
    else:
        seed = chosen.get("seed", 0)
        paths = {seed: run_path or base.with_name(f"{base.name}-seed{seed}")}
    # All of them before the first is trained.
    for path in paths.values():
        RunFolder(path).check_startable(resume=resume)
    with contextlib.ExitStack() as owned:
        for path in paths.values():
            owned.enter_context(RunFolder(path).only_writer())
        _train_into(
            paths,
            dataset,
            chosen,
            several=seeds is not None,
            resume=resume,
            test_episodes_count=test_episodes,
            data_dir=data_dir,
        )


def _train_into(
    paths: dict[int, Path],
    dataset: str | None,
    chosen: dict[str, Any],
    *,
    several: bool,
    resume: bool,
    test_episodes_count: int,
    data_dir: Path | None,
) -> None:
    """Trains one run, or one for each seed, into folders that nobody else writes."""
    begun = {
        seed: RunFolder(path) for seed, path in paths.items() if RunFolder(path).exists
    }
    kept = next((folder.read_config() for folder in begun.values()), None)
    learner = TrainConfig.learner if kept is None else kept.learner
    controls = is_control(dataset or (kept or TrainConfig()).dataset)
    _check_test_episodes(controls)
    if controls and "learner" in chosen:
        chosen = {**chosen, "learner": policy_learner(chosen["learner"])}
    start_tensorflow(
        "control" if controls else family_of(chosen.get("learner", learner))
    )

    from tfmeta.cli.train_job import run_training, run_trainings
    from tfmeta.runs.train import as_begun

    if kept is None:
        config = default_config(
            dataset or TrainConfig.dataset, chosen, data_dir=data_dir
        )
    else:
        # What nobody chooses is as it was when the run began.
        named = {} if dataset is None else {"dataset": dataset}
        config = kept.with_options(with_full_paths({**chosen, **named}))
        for seed, folder in begun.items():
            same = dataclasses.replace(config, seed=seed) if several else config
            as_begun(same, folder)
    shared: dict[str, Any] = {
        "chosen": chosen,
        "resume": resume,
        "test_episodes_count": test_episodes_count,
        "data_dir": data_dir,
    }
    if several:
        run_trainings(config, paths, **shared)
        return
    (path,) = paths.values()
    run_training(config, path, **shared)


def _check_test_episodes(controls: bool) -> None:
    """Refuses a number of episodes where there are none."""
    source = click.get_current_context().get_parameter_source("test_episodes")
    if controls and source is ParameterSource.COMMANDLINE:
        raise click.UsageError(
            "--test-episodes must be left out with --task, whose test is 40 tasks; "
            "`tfmeta evaluate --test-tasks` has others. Received: --test-episodes"
        )


def _dataset(named: str | None, environment: str | None) -> str | None:
    """The data set of a run, which `--task` names as well as `--dataset`."""
    if environment is None:
        return named
    if named is not None:
        raise click.UsageError(
            "--dataset and --task exclude each other. Received: --dataset "
            f"{named} and --task {environment}"
        )
    return f"{PREFIX}{environment}"


def _short_name(dataset: str) -> str:
    """A data set's name, or the last part of a path, for the run folder."""
    if is_control(dataset):
        return dataset.removeprefix(PREFIX).replace("/", "-").replace(":", "-")
    return Path(dataset.removeprefix("tfds:")).resolve().stem or "own"
