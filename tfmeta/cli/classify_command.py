"""`tfmeta classify`."""

from __future__ import annotations

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
    help="Folder of pictures to classify.",
)
@click.option(
    "--invert",
    type=click.Choice(["auto", "yes", "no"]),
    default="auto",
    show_default=True,
    help="Turn dark on light into light on dark; auto does what the run needs.",
)
def classify(run: Path, support: Path, query: Path, invert: str) -> None:
    """Classify the pictures in --query from the few labelled in --support.

    RUN is a run folder or a SavedModel's version folder. Prints one line per
    picture: its name, the class and its probability, between tabs.
    """
    from tfmeta.runs.classify import find_saved_model, read_pictures

    model_folder = find_saved_model(run)
    pictures = read_pictures(model_folder, support, query, invert=invert)
    for warning in pictures.warnings:
        click.echo(f"Warning: {warning}", err=True)
    start_tensorflow("metric")

    from tfmeta.runs.classify import classify_pictures

    probabilities = classify_pictures(model_folder, pictures)
    for path, row in zip(pictures.query_paths, probabilities, strict=True):
        best = int(row.argmax())
        click.echo(f"{path.name}\t{pictures.class_names[best]}\t{row[best]:.3f}")
