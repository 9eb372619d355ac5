"""`tfmeta gallery enrol`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from tfmeta.cli.column_options import column_options
from tfmeta.cli.command import Command
from tfmeta.cli.gallery_options import CLASS_NAME, GalleryFolder
from tfmeta.cli.head_options import check_run, head_options
from tfmeta.cli.options import RUN, AnyPath, FiniteRange
from tfmeta.cli.output import say
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import DATABASE, is_gallery

_COLUMNS = ("text_column", "path_column", "label_column")


@click.command(cls=Command)
@click.argument("gallery", metavar="GALLERY", type=GalleryFolder(new=True))
@click.argument("files", metavar="[FILE]...", nargs=-1, type=AnyPath(exists=True))
@click.option(
    "--support",
    type=AnyPath(exists=True),
    help="Folder with one sub-folder of pictures or .txt files per class, or a CSV "
    "file with the columns text and label (or path and label, of files).",
)
@column_options(_COLUMNS)
@click.option(
    "--class",
    "class_name",
    type=CLASS_NAME,
    metavar="NAME",
    help="In place of --support: the class of each FILE, a picture, a folder of "
    "pictures, a .csv or .txt file of texts, or a folder of .txt files.",
)
@click.option(
    "--run",
    type=RUN,
    help="At first: the run folder whose trained learner looks at examples; of a "
    "learner that is metric-based. [default: a pre-trained encoder]",
)
@head_options("At first, without --run: ")
@click.option(
    "--threshold",
    type=click.Choice(["cross-validation", "validation", "none"]),
    help='At first: from when on a query is of no class, answered by "none of these": '
    "by cross-validation of what is enrolled, which follows it; by the validation "
    "episodes of `tfmeta evaluate RUN --open-set`, with --run; or never. [default: "
    "cross-validation]",
)
@click.option(
    "--recall",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="At first, with cross-validation: the share of queries of enrolled classes "
    "to accept. [default: 0.95]",
)
@click.option(
    "--invert",
    type=click.Choice(["auto", "yes", "no"]),
    help="At first, with --run: turn dark on light into light on dark, in what is "
    "enrolled and in queries; auto does so where all pictures are clearly the other "
    "way round than the run's, and never to colours. [default: auto]",
)
@click.option(
    "--no-originals",
    is_flag=True,
    help="At first: keep embeddings alone. Then no other encoder can take over.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Leave out files that cannot be read. By default all of them are listed, "
    "and nothing is enrolled.",
)
def enrol(
    gallery: Path,
    run: Path | None,
    encoder: str | None,
    size: int | None,
    learner: str | None,
    **options: Any,
) -> None:
    """Add classes to GALLERY, or examples to classes that it has.

    The first enrolment makes GALLERY; options that say "At first" are decided then,
    and may be left out later. Examples that their class has already are passed over.
    """
    _check_examples(options["support"], options["class_name"], options["files"])
    pretrained = {"encoder": encoder, "size": size, "learner": learner}
    check_run(run, pretrained)
    recall, threshold = options["recall"], options["threshold"]
    if recall is not None and threshold in ("validation", "none"):
        raise click.UsageError(
            "--recall is for --threshold cross-validation. Received: --threshold "
            f"{threshold}"
        )
    from tfmeta.cli.gallery_job import EnrolJob, say_enrolled
    from tfmeta.cli.gallery_learner import ChosenLearner

    columns = {name: options.pop(name) for name in _COLUMNS}
    columns = {name: value for name, value in columns.items() if value is not None}
    if columns and options["support"] is None:
        name = next(iter(columns)).replace("_", "-")
        raise click.UsageError(
            f"--{name} is for a CSV file after --support. Received: --class "
            f"{options['class_name']}"
        )
    job = EnrolJob(
        gallery=gallery,
        chosen=ChosenLearner(run, encoder, size, learner),
        columns=columns,
        **options,
    )
    before = _version(gallery)
    try:
        new = job.enrol()
    except (KeyboardInterrupt, SystemExit):
        if _version(gallery) == before:
            say("Nothing was enrolled.", err=True)
        raise
    say_enrolled(gallery, new)


def _version(gallery: Path) -> int | None:
    """The number of the latest change, `None` where there is no gallery."""
    if not is_gallery(gallery):
        return None
    with contextlib.closing(GalleryStore(gallery / DATABASE)) as store:
        return store.version


def _check_examples(
    support: Path | None, class_name: str | None, files: tuple[Path, ...]
) -> None:
    if support is not None and class_name is not None:
        raise click.UsageError(
            "--support and --class exclude each other. Received: both"
        )
    if files and class_name is None:
        raise click.UsageError(
            f"FILE needs --class NAME. Received: {files[0]} without; a folder with a "
            "sub-folder per class comes after --support"
        )
    if support is None and class_name is None:
        raise click.UsageError("Missing option '--support' (or '--class').")
    if class_name is not None and not files:
        raise click.UsageError(
            f"--class needs a FILE. Received: --class {class_name} without"
        )
