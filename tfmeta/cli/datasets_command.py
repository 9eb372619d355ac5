"""`tfmeta datasets`."""

from __future__ import annotations

from pathlib import Path

import click

from tfmeta.cli.options import DATA_DIR, SEED
from tfmeta.cli.tensorflow_start import start_tensorflow


@click.group()
def datasets() -> None:
    """List, import and describe data sets."""


@datasets.command("list")
def list_() -> None:
    """Name the data sets."""
    from tfmeta.datasets.registry import DATASETS

    for name, entry in DATASETS.items():
        click.echo(f"{name:16} {entry.description}")


@datasets.command("import")
@click.argument("name", type=click.Choice(["omniglot"]))
@click.option(
    "--from",
    "source",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with the archives.",
)
@DATA_DIR
def import_(name: str, source: Path, data_dir: Path | None) -> None:
    """Import a data set from archives that lie on this machine.

    omniglot: images_background.zip, images_evaluation.zip,
    images_background_small1.zip and images_background_small2.zip.
    """
    start_tensorflow("metric")

    from rich.console import Console

    from tfmeta.datasets.omniglot.importing import import_omniglot

    console = Console(highlight=False, soft_wrap=True)
    with console.status("checking, preparing and packing, about a minute"):
        report = import_omniglot(source, data_dir)
    for note in report.notes:
        console.print(note)


@datasets.command()
@click.argument("name", type=click.Choice(["glyphs", "omniglot"]))
@click.option("--protocol", help="Split protocol (omniglot: vinyals, lake).")
@click.option("--seed", type=SEED, help="Of glyphs. [default: 0]")
@DATA_DIR
def describe(
    name: str, protocol: str | None, seed: int | None, data_dir: Path | None
) -> None:
    """Print the splits of a data set, their classes and their examples."""
    from tfmeta.datasets import load

    for split in ("train", "validation", "test"):
        table = load(name, split=split, protocol=protocol, seed=seed, data_dir=data_dir)
        groups = (
            ""
            if table.groups is None
            else (f" in {len(set(table.groups))} {table.group_level}s")
        )
        least, most = int(table.class_sizes.min()), int(table.class_sizes.max())
        sizes = f"{least}" if least == most else f"{least} to {most}"
        shape = " x ".join(str(n) for n in table.example_shape)
        click.echo(
            f"{split:10} {table.num_classes:,} classes{groups}, "
            f"{len(set(table.origins)):,} without their rotations, "
            f"{sizes} examples each, "
            f"{shape} {table.examples.dtype}"
        )
    click.echo(table.description)
