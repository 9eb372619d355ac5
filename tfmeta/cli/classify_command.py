"""`tfmeta classify`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tfmeta.cli.classify_gallery_job import ClassifyGalleryJob
from tfmeta.cli.classify_job import ClassifyJob, parse_classes, warn
from tfmeta.cli.column_options import column_options
from tfmeta.cli.command import Command
from tfmeta.cli.head_options import LEARNER, head_options
from tfmeta.cli.options import (
    DATA_DIR,
    RUN,
    WORD,
    AnyPath,
    FiniteRange,
    WrittenFile,
)
from tfmeta.cli.output import say, write_lines
from tfmeta.gallery.tables import is_gallery

# What is taken with a gallery.
_WITH_GALLERY = {
    *("run", "query", "skip_bad", "form", "picture", "confusion", "data_dir"),
    *("text_column", "label_column"),
}


@click.command(cls=Command)
@click.argument("run", metavar="[RUN|GALLERY]", required=False, type=RUN)
@click.option(
    "--support",
    type=AnyPath(exists=True),
    help="Folder with one sub-folder of pictures, .txt or .npy files per class, a CSV "
    "file with the columns text and label (or path and label, of files), or a .npz "
    "file with the arrays X and y.",
)
@click.option(
    "--query",
    required=True,
    type=AnyPath(exists=True, allow_dash=True),
    help="A picture, or a folder of pictures to classify; with sub-folders named as "
    "those of --support, or the classes of GALLERY, the answers are checked. For texts "
    "a CSV file with the column text, and label where answers are to be checked, a "
    "file with one text a line, - for such lines of standard input, or a folder of "
    ".txt files. For arrays a folder of .npy files, a .npz file, or a .npy file of one "
    "example, or of several along its first axis.",
)
@column_options(("text_column", "path_column", "label_column"))
@click.option(
    "--classes",
    type=WORD,
    metavar='"CAT,DOG"',
    help="In place of --support: classes by their names alone. For texts; for pictures "
    "with the RUN of a ZeroShotPrototypicalNetwork.",
)
@head_options("Without RUN: ")
@click.option(
    "--prior-shots",
    type=FiniteRange(0, 1_000_000),
    metavar="SHOTS",
    help="Without RUN, for texts: how many shots the name of a class weighs, 0 to pay "
    "no heed to it. [default: 1]",
)
@click.option(
    "--invert",
    type=click.Choice(["auto", "yes", "no"]),
    default="auto",
    show_default=True,
    help="With RUN: turn dark on light into light on dark, in --support and --query; "
    "auto does so where all pictures are clearly the other way round than the run's, "
    "and never to colours.",
)
@click.option(
    "--open-set",
    is_flag=True,
    help='With RUN: answer "none of these" where no class is near enough, by the '
    "threshold of `tfmeta evaluate RUN --open-set`. Its newest SavedModel answers, and "
    "a version folder has the thresholds there were when it was exported.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Leave out files that cannot be read. By default all of them are listed, "
    "and nothing is answered.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    default="text",
    show_default=True,
    help="How answers are printed: lines with tabs, a CSV table, or one JSON document "
    "with the probabilities of all classes (of more than 1,000 the 10 largest). CSV "
    "has names as they are; a spreadsheet "
    "takes one that begins with =, +, - or @ for a formula.",
)
@click.option(
    "--picture",
    type=WrittenFile(".png", new=True),
    metavar="FILE.png",
    help="Draw the pictures with their answers (some, where they are many) into a new "
    "file.",
)
@click.option(
    "--confusion",
    type=WrittenFile(".png", new=False),
    metavar="FILE.png",
    help="Where the answers are checked: draw which class was taken for which.",
)
@click.option(
    "--no-cache",
    is_flag=True,
    help="Without RUN: do not keep features for the next call.",
)
@DATA_DIR
def classify(
    run: Path | None,
    support: Path | None,
    query: Path,
    classes: str | None,
    form: str,
    picture: Path | None,
    confusion: Path | None,
    no_cache: bool,
    data_dir: Path | None,
    text_column: str | None,
    path_column: str | None,
    label_column: str | None,
    **options: Any,
) -> None:
    """Classify what is in --query from the few labelled examples in --support.

    Without RUN nothing is trained: a pre-trained encoder looks at pictures (extra
    photos) or texts (extra texts), and each query goes to the nearest class; vectors
    are compared as they are. What it
    makes of a picture is kept in the data folder. RUN is a run folder or a SavedModel's
    version folder. GALLERY is a folder of `tfmeta gallery enrol`: its classes stand for
    --support, and what is none of them is told apart by the threshold that it has.

    When all is read, prints one line per query: its name, the class and its
    probability, between tabs; tabs, newlines and the like in names are escaped. Where
    the classes of the queries are known, accuracy and recall follow (with --format csv
    on stderr).
    """
    columns = _columns(
        support,
        query,
        text_column=text_column,
        path_column=path_column,
        label_column=label_column,
    )
    if run is not None and is_gallery(run):
        _check_gallery_options(run)
    else:
        _check_options(run, support, classes, no_cache, options)

    given_prior_shots = options["prior_shots"]

    def check_sides(kind: str, labelled: bool) -> None:
        if confusion is not None and not labelled:
            raise click.UsageError(
                "--confusion needs sub-folders in --query, named as those of "
                f"{classes_of}, or a column label. Received: {query} without"
            )
        if picture is not None and kind != "pictures":
            raise click.UsageError(
                f"--picture shows pictures. Received: the {kind} of {query}"
            )
        if kind != "texts" and given_prior_shots is not None:
            raise click.UsageError(
                f"--prior-shots is for texts. Received: the {kind} of {query}"
            )

    classes_of = "--support"
    job: ClassifyJob | ClassifyGalleryJob
    if run is not None and is_gallery(run):
        classes_of = "the classes of GALLERY"
        job = ClassifyGalleryJob(run, query, options["skip_bad"], columns, check_sides)
    else:
        from tfmeta.datasets.data_dir import resolve_data_dir

        kept = resolve_data_dir(data_dir) / "features"
        options["learner"] = options["learner"] or LEARNER
        if options["prior_shots"] is None:
            options["prior_shots"] = 1.0
        job = ClassifyJob(
            run=run,
            support=support,
            query=query,
            class_names=None if classes is None else parse_classes(classes),
            cache_dir=None if no_cache else kept,
            columns=columns,
            check_sides=check_sides,
            **options,
        )
    answers, files = job.answer()
    warn(answers.warnings)

    from tfmeta.classifying.formats import FORMATS

    # What draws may fail, and then nothing is answered.
    if picture is not None:
        from tfmeta.classifying.answers_picture import draw_answers

        draw_answers(answers, files, picture)
    checked = answers.checked()
    if confusion is not None and checked is not None:
        checked.draw(confusion)
    write_lines(FORMATS[form](answers), for_programs=form != "text")
    if form == "csv" and checked is not None:
        say(*str(checked).split("\n"), err=True)


def _columns(support: Path | None, query: Path, **named: str | None) -> dict[str, str]:
    """The columns that are named, where there is a CSV file to have them."""
    from tfmeta.datasets.own.csv_columns import is_csv

    given = {name: value for name, value in named.items() if value is not None}
    of_csv = is_csv(query) or (support is not None and is_csv(support))
    if given and not of_csv:
        flag = f"--{next(iter(given)).replace('_', '-')}"
        raise click.UsageError(
            f"{flag} is for a CSV file in --support or --query. Received: "
            f"{query if support is None else support}"
        )
    return given


def _check_gallery_options(gallery: Path) -> None:
    """Refuses what a gallery has decided."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given and name not in _WITH_GALLERY:
            raise click.UsageError(
                f"{parameter.opts[0]} must be left out with GALLERY, which says what "
                f"the classes are and how they are compared. Received: "
                f"{parameter.opts[0]} with {gallery}"
            )


def _check_options(
    run: Path | None,
    support: Path | None,
    classes: str | None,
    no_cache: bool,
    options: dict[str, Any],
) -> None:
    if support is None and classes is None:
        raise click.UsageError("Missing option '--support' (or '--classes').")
    if support is not None and classes is not None:
        raise click.UsageError(
            "--support and --classes exclude each other. Received: both"
        )
    if classes is not None and options["prior_shots"] == 0:
        raise click.UsageError(
            "--prior-shots must be above 0 with --classes, whose names are all there "
            "is to go by. Received: 0"
        )
    given = {
        name
        for name, value in options.items()
        if value is not None and value is not False
    }
    given |= {"no_cache"} if no_cache else set()
    if run is None:
        given -= {"invert"} if options["invert"] != "yes" else set()
        wrong, needs = given & {"invert", "open_set"}, "needs RUN"
    else:
        wrong = given & {"encoder", "size", "learner", "prior_shots", "no_cache"}
        needs = "is for a call without RUN"
    for name in sorted(wrong):
        received = "no RUN" if run is None else f"RUN {run}"
        raise click.UsageError(
            f"--{name.replace('_', '-')} {needs}. Received: {received}"
        )
