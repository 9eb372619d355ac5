"""`tfmeta tasks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfmeta.cli.command import Group
from tfmeta.cli.gallery_options import CLASS_NAME
from tfmeta.cli.head_options import check_run, encoder_options
from tfmeta.cli.options import (
    DATA_DIR,
    RUN,
    SEED,
    WORD,
    AnyPath,
    FiniteRange,
    WholeRange,
    WrittenFile,
)

_MOST_TASKS = 100_000


_LIBRARY = click.argument(
    "library", metavar="LIBRARY", type=AnyPath(exists=True, file_okay=False)
)
_FOLDER = click.argument("folder", metavar="FOLDER", type=AnyPath(exists=True))
_SEED = click.option(
    "--seed",
    type=SEED,
    metavar="SEED",
    default=0,
    show_default=True,
    help="Of all that is drawn.",
)


@click.group(cls=Group)
def tasks() -> None:
    """Learn which tasks are alike, and start new ones from the nearest.

    A library holds tasks: how each is described, and a small network that was trained
    on it. A distance is learned over them, and a new task begins at the networks of
    those that are nearest.
    """


@tasks.command()
@click.argument(
    "library",
    metavar="LIBRARY",
    type=AnyPath(made=True, file_okay=False, writable=True),
)
@click.option(
    "--dataset",
    type=WORD,
    default="glyphs",
    show_default=True,
    metavar="NAME|FOLDER",
    help="Where tasks are drawn from: a data set, or a folder or file of your own.",
)
@click.option(
    "--split",
    type=click.Choice(["half", "train", "validation", "test"]),
    help="Which classes: half of those of every group of the training split, so that "
    "the other half is there to evaluate with, or all of a split. [default: half "
    "where there are groups, else train]",
)
@click.option(
    "--run",
    type=RUN,
    help="The run folder whose trained encoder looks at examples. [default: a "
    "pre-trained encoder]",
)
@encoder_options("Without --run: ")
@click.option(
    "--tasks",
    "count",
    type=WholeRange(2, _MOST_TASKS),
    metavar="TASKS",
    default=2000,
    show_default=True,
    help="How many tasks.",
)
@click.option(
    "--ways",
    type=WholeRange(2, 100),
    metavar="WAYS",
    default=5,
    show_default=True,
    help="Classes of each.",
)
@click.option(
    "--shots",
    type=WholeRange(1, 1000),
    metavar="SHOTS",
    default=5,
    show_default=True,
    help="Examples of each class, by which a task is described.",
)
@click.option(
    "--queries",
    type=WholeRange(1, 1000),
    metavar="QUERIES",
    default=10,
    show_default=True,
    help="Further examples of each class, to train its network on.",
)
@click.option(
    "--start",
    type=click.Choice(["random", "pretrained", "maml"]),
    default="pretrained",
    show_default=True,
    help="Where the training of networks begins: at random weights, at those of a "
    "classifier of all classes, or at what was learned through training on the tasks.",
)
@click.option(
    "--alike",
    type=click.Choice(["group", "classes", "gain"]),
    help="Which tasks are alike: of the same group, with half of their classes in "
    "common, or those whose start training gains most from, as measured on all pairs "
    "of at most 500 tasks. [default: group where there are groups, else classes]",
)
@click.option(
    "--metric",
    type=click.Choice(["auto", "network", "linear"]),
    default="auto",
    show_default=True,
    help="Which distance is learned: by a network on means and variances, by a matrix "
    "on means, or the one of both that finds more alike tasks among those of classes "
    "that it was not learned from.",
)
@click.option(
    "--candidate",
    "candidates",
    type=WORD,
    metavar="NAME|RUN",
    multiple=True,
    help="An encoder, by name or file, or a run folder, to start new folders from: how "
    "good each is on the tasks is kept, and `tfmeta tasks nearest` says which to take. "
    "Several times for several.",
)
@click.option(
    "--map",
    "picture",
    type=WrittenFile(".png", new=True),
    metavar="FILE.png",
    help="Draw the tasks where they lie, coloured by group.",
)
@_SEED
@DATA_DIR
def build(
    library: Path,
    run: Path | None,
    encoder: str | None,
    size: int | None,
    **options: Any,
) -> None:
    """Draw tasks of a data set, train a network on each, and learn what is alike.

    LIBRARY must not be there. What was stopped goes on when the same command is given
    again: what takes long is kept beside LIBRARY until all of it is done.
    """
    check_run(run, {"encoder": encoder, "size": size})
    from tfmeta.cli.tasks_build_job import BuildJob

    BuildJob(library=library, run=run, encoder=encoder, size=size, **options).build()


@tasks.command()
@_LIBRARY
@_FOLDER
@click.option(
    "--name",
    type=CLASS_NAME,
    metavar="NAME",
    help="What the task is called. [default: FOLDER]",
)
@click.option(
    "--group", type=CLASS_NAME, metavar="NAME", default=None, help="What it is of."
)
def add(library: Path, folder: Path, name: str | None, group: str | None) -> None:
    """Add one task to LIBRARY, the labelled examples of FOLDER.

    FOLDER has a sub-folder per class, or is a CSV or .npz file, as for `tfmeta
    classify --support`; it has at most as many classes as the tasks of LIBRARY.
    """
    from tfmeta.cli.tasks_job import add_task

    add_task(library, folder, name, group or "")


@tasks.command()
@_LIBRARY
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=CLASS_NAME)
def remove(library: Path, names: tuple[str, ...]) -> None:
    """Remove tasks from LIBRARY, also damaged ones."""
    from tfmeta.cli.tasks_job import remove_tasks

    remove_tasks(library, names)


@tasks.command()
@_LIBRARY
@_FOLDER
@click.option(
    "--neighbours",
    type=WholeRange(1, 1000),
    metavar="TASKS",
    default=5,
    show_default=True,
    help="How many are listed.",
)
@click.option(
    "--threshold",
    type=FiniteRange(0, 2, min_open=True),
    metavar="DISTANCE",
    help="The largest distance, 0 to 2, of what is a neighbour.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A table, or one JSON document.",
)
def nearest(
    library: Path, folder: Path, neighbours: int, threshold: float | None, form: str
) -> None:
    """List the tasks of LIBRARY that are nearest to that of FOLDER.

    Where LIBRARY was built with candidates, which of them to start from comes first, by
    how good each was on the nearest tasks.
    """
    from tfmeta.cli.tasks_job import show_nearest

    show_nearest(library, folder, neighbours, threshold, form)


@tasks.command()
@_LIBRARY
@click.option(
    "--tasks",
    "count",
    type=WholeRange(2, _MOST_TASKS),
    metavar="TASKS",
    default=600,
    show_default=True,
    help="How many new tasks.",
)
@click.option(
    "--neighbours",
    type=WholeRange(1, 100),
    metavar="TASKS",
    default=5,
    show_default=True,
    help="How many are mixed.",
)
@click.option(
    "--output",
    type=WrittenFile(".json", new=True),
    metavar="FILE.json",
    help="Keep the figures.",
)
@_SEED
@DATA_DIR
def evaluate(library: Path, **options: Any) -> None:
    """Measure whether it is worth it to start from the nearest tasks of LIBRARY.

    New tasks are of the classes that the library was not built of: whether their
    nearest tasks are of the same group, and their accuracy after 1, 5 and 20 steps of
    training from a random start, the library's own, the mean of all networks, the
    nearest one and the mixture of several. Figures are paired; all train as the
    networks of the library did.
    """
    from tfmeta.cli.tasks_job import evaluate_library

    evaluate_library(library, **options)
