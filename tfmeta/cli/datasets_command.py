"""`tfmeta datasets`."""

from __future__ import annotations

from pathlib import Path

import click

from tfmeta.cli.command import Group
from tfmeta.cli.describe_command import describe
from tfmeta.cli.options import DATA_DIR, AnyPath
from tfmeta.cli.output import say
from tfmeta.datasets.registry import DATASETS, import_dataset, importable


def _needs() -> str:
    """What each folder must hold, in paragraphs that click leaves as they are."""
    parts = [f"{name}: {DATASETS[name].needs}." for name in importable()]
    return "\n\n".join(["What DIR must hold:", *parts])


@click.group(cls=Group)
def datasets() -> None:
    """List, import and describe data sets."""


@datasets.command("list")
def list_() -> None:
    """Name the data sets."""
    for name, record in DATASETS.items():
        say(f"{name:16} {record.description}")


@datasets.command("import", epilog=_needs())
@click.argument("name", type=click.Choice(importable()), metavar="NAME")
@click.option(
    "--from",
    "source",
    required=True,
    type=AnyPath(exists=True),
    metavar="DIR",
    help="Folder with the files of the data set.",
)
@click.option(
    "--partial",
    is_flag=True,
    default=None,
    help="Take a copy that lacks classes or pictures (tiered_imagenet).",
)
@DATA_DIR
def import_(
    name: str, source: Path, partial: bool | None, data_dir: Path | None
) -> None:
    """Import a data set from files that lie on this machine.

    They are checked first, and what is not complete is refused. An import that
    was interrupted is simply run again.
    """
    from tfmeta.cli.progress import progress_bar
    from tfmeta.console import Console

    console = Console()
    with progress_bar(console, f"importing {name}") as report:
        done = import_dataset(
            name, source, data_dir=data_dir, on_progress=report, partial=partial
        )
    console.say(*done.notes)
    console.say(f"{name} is ready; next: tfmeta datasets describe {name}")


datasets.add_command(describe)
