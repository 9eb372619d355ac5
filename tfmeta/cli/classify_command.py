"""`tfmeta classify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from tfmeta.cli.tensorflow_start import start_tensorflow


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--support",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with one sub-folder of pictures per class.",
)
@click.option(
    "--query",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of pictures to classify; with sub-folders named as those of "
    "--support the answers are checked.",
)
@click.option(
    "--invert",
    type=click.Choice(["auto", "yes", "no"]),
    default="auto",
    show_default=True,
    help="Turn dark on light into light on dark, in --support and --query; auto does "
    "so where all pictures are clearly the other way round than the run's, and never "
    "to colours.",
)
@click.option(
    "--open-set",
    is_flag=True,
    help='Answer "none of these" where no class is near enough, by the threshold of '
    "`tfmeta evaluate RUN --open-set`.",
)
@click.option(
    "--confusion",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="With sub-folders in --query: draw which class was taken for which.",
)
def classify(
    run: Path,
    support: Path,
    query: Path,
    invert: str,
    open_set: bool,
    confusion: Path | None,
) -> None:
    """Classify the pictures in --query from the few labelled in --support.

    RUN is a run folder or a SavedModel's version folder. Prints one line per
    picture: its name, the class and its probability, between tabs. Where --query
    has a sub-folder for each class, accuracy and recall follow.
    """
    from tfmeta.runs.classify import find_saved_model, read_pictures
    from tfmeta.runs.run_folder import RunFolder

    if confusion is not None and confusion.suffix.lower() != ".png":
        raise click.UsageError(
            f"--confusion must name a .png file. Received: {confusion}"
        )
    if open_set:
        RunFolder(run).read_config()  # A SavedModel alone has no threshold.
    model_folder = find_saved_model(run)
    pictures = read_pictures(
        model_folder, support, query, invert=invert, unknown_classes=open_set
    )
    if confusion is not None and pictures.query_labels is None:
        raise click.UsageError(
            f"--confusion needs sub-folders in --query, named as those of --support. "
            f"Received: {query} without"
        )
    _warn(pictures.warnings)
    for note in pictures.notes:
        click.echo(note, err=True)
    start_tensorflow("metric")

    from tfmeta.runs.answers import NONE_OF_THESE, CheckedAnswers
    from tfmeta.runs.classify import classify_pictures
    from tfmeta.runs.classify_open_set import classify_open_set
    from tfmeta.runs.query_files import UNKNOWN

    if open_set:
        found = classify_open_set(RunFolder(run), pictures)
        probabilities, answers = found.probabilities, found.answers
        _warn(found.warnings)
    else:
        probabilities = classify_pictures(model_folder, pictures)
        answers = probabilities.argmax(axis=1)
    for path, row, answer in zip(
        pictures.query_paths, probabilities, answers, strict=True
    ):
        if answer == UNKNOWN:
            said = f"{NONE_OF_THESE}\t-"
        else:
            said = f"{pictures.class_names[answer]}\t{row[answer]:.3f}"
        click.echo(f"{path.relative_to(query)}\t{said}")
    if pictures.query_labels is not None:
        checked = CheckedAnswers.of(
            pictures.query_labels, answers, pictures.class_names, open_set=open_set
        )
        click.echo(f"\n{checked}")
        if confusion is not None:
            checked.draw(confusion)


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
