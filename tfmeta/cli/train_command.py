"""`tfmeta train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfmeta.cli.options import (
    AT_LEAST_1,
    AT_LEAST_2,
    DATA_DIR,
    SEED,
    SHOTS,
    parse_arguments,
)
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.runs.learner_families import family_of
from tfmeta.runs.run_folder import RunFolder


@click.command()
@click.option(
    "--dataset",
    default="glyphs",
    show_default=True,
    help="A name of `tfmeta datasets list`, or a folder or CSV file of your own.",
)
@click.option(
    "--protocol", help="Split protocol of the data set (omniglot: vinyals, lake)."
)
@click.option(
    "--run",
    "run_path",
    type=click.Path(path_type=Path),
    help="Run folder. [default: runs/DATASET-seedSEED]",
)
@click.option(
    "--size",
    type=AT_LEAST_1,
    help="Side in pixels to resize your own pictures to, or Omniglot's (scans: 105).",
)
@click.option(
    "--learner",
    help="One of: prototypical, gaussian_prototypical, semi_supervised_prototypical, "
    "matching, relation, siamese, baseline, baseline_plus_plus; with an inner loop: "
    "maml, anil, meta_sgd, maml_plus_plus, reptile, lstm. "
    "[default: prototypical]",
)
@click.option(
    "--argument",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="An argument of the learner's constructor, e.g. distance=cosine. May be "
    "repeated.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--seed", type=SEED, help="Seed of weights and episodes. [default: 0]")
@click.option(
    "--seeds",
    type=AT_LEAST_2,
    help="Train with the seeds 0, 1, ... one after the other, into RUN-seed0, "
    "RUN-seed1, ..., and show how far they spread.",
)
@click.option("--train-ways", type=AT_LEAST_2, help="Classes per training task.")
@click.option(
    "--train-shots",
    type=SHOTS,
    help="Support examples per class of a training task; 1-5 lets them vary from "
    "task to task.",
)
@click.option(
    "--train-queries", type=AT_LEAST_1, help="Queries per class of a training task."
)
@click.option("--train-tasks", type=AT_LEAST_1, help="Tasks per training step.")
@click.option(
    "--batch-size",
    type=AT_LEAST_1,
    help="Examples per training step, for learners that train on plain batches "
    "(baseline, baseline_plus_plus). [default: 128]",
)
@click.option("--ways", type=AT_LEAST_2, help="Classes per validation and test task.")
@click.option(
    "--shots",
    type=AT_LEAST_1,
    help="Support examples per class in validation and test.",
)
@click.option(
    "--queries", type=AT_LEAST_1, help="Queries per class in validation and test."
)
@click.option(
    "--unlabelled",
    type=click.IntRange(min=0),
    help="Unlabelled examples per class in every task. [default: 0]",
)
@click.option(
    "--distractors",
    type=click.IntRange(min=0),
    help="Classes per task with unlabelled examples alone. [default: 0]",
)
@click.option(
    "--same-group/--any-group",
    default=None,
    help="Draw all classes of a task from one group (alphabet, domain, superclass).",
)
@click.option(
    "--filters",
    type=AT_LEAST_1,
    help="Filters of the Conv4 encoder, or of the first convolution of Koch's.",
)
@click.option(
    "--encoder",
    help="Encoder of pictures: conv4, conv4_strides (no poolings, a quarter of the "
    "work), conv4_maps (no vectors, for relation) or koch. [default: the learner's]",
)
@click.option(
    "--dtype-policy",
    type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]),
    help="Keras' dtype policy. [default: float32]",
)
@click.option("--augment/--no-augment", default=None, help="Distort training pictures.")
@click.option(
    "--epochs",
    type=AT_LEAST_1,
    help="Each ends in a validation and a checkpoint; the best on validation classes "
    "becomes the learner.",
)
@click.option("--steps-per-epoch", type=AT_LEAST_1, help="Training steps per epoch.")
@click.option(
    "--validation-episodes", type=AT_LEAST_1, help="Validation tasks per epoch."
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0.0, min_open=True),
    help="At the first step; it falls to 0 by the last.",
)
@click.option(
    "--test-episodes",
    type=click.IntRange(min=600),
    default=1000,
    show_default=True,
    help="Fixed test episodes after training.",
)
@DATA_DIR
def train(
    dataset: str,
    run_path: Path | None,
    resume: bool,
    seeds: int | None,
    arguments: tuple[str, ...],
    test_episodes: int,
    data_dir: Path | None,
    **overrides: Any,
) -> None:
    """Train a learner, evaluate it, write its SavedModel.

    Without an option it trains a Prototypical Network on generated glyphs in
    under three minutes. Where no default is named, it follows from the data set
    and the learner; the run's config.json says what was taken.
    """
    chosen = {name: value for name, value in overrides.items() if value is not None}
    if arguments:
        chosen["learner_arguments"] = parse_arguments(arguments)
    if seeds is not None and "seed" in chosen:
        raise click.UsageError("--seeds names the seeds; it does not go with --seed.")
    base = Path("runs") / _short_name(dataset)
    if seeds is not None:
        base = run_path or base
        paths = {n: base.with_name(f"{base.name}-seed{n}") for n in range(seeds)}
    else:
        seed = chosen.get("seed", 0)
        paths = {seed: run_path or base.with_name(f"{base.name}-seed{seed}")}
    # All of them before the first is trained.
    for path in paths.values():
        RunFolder(path).check_startable(resume=resume)
    start_tensorflow(family_of(chosen.get("learner")))

    from tfmeta.cli.train_job import run_training, run_trainings
    from tfmeta.runs.defaults import default_config

    config = default_config(dataset, chosen, data_dir=data_dir)
    if seeds is not None:
        run_trainings(
            config,
            paths,
            resume=resume,
            test_episodes_count=test_episodes,
            data_dir=data_dir,
        )
        return
    (path,) = paths.values()
    run_training(
        config,
        path,
        resume=resume,
        test_episodes_count=test_episodes,
        data_dir=data_dir,
    )


def _short_name(dataset: str) -> str:
    """A data set's name, or the last part of a path, for the run folder."""
    return Path(dataset.removeprefix("tfds:")).resolve().stem or "own"
