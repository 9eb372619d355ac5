"""`tfmeta expect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfmeta.cli.column_options import column_options
from tfmeta.cli.command import Command
from tfmeta.cli.head_options import HEADS, encoder_options
from tfmeta.cli.options import DATA_DIR, SEED, AnyPath, FiniteRange, WrittenFile
from tfmeta.cli.output import say, write_lines
from tfmeta.printable import shell_word

# As `tfmeta.estimation.AUTO`, which TensorFlow comes with.
AUTO = "auto"


_COLUMNS = ("text_column", "path_column", "label_column")


@click.command(cls=Command)
@click.argument("source", metavar="FOLDER|FILE", type=AnyPath(exists=True))
@column_options(_COLUMNS)
@encoder_options()
@click.option(
    "--head",
    type=click.Choice([AUTO, *HEADS]),
    default=AUTO,
    show_default=True,
    help="What compares the encoder's features, --learner of `tfmeta classify`; auto "
    "tries some on examples that are left out, and says which it chose.",
)
@click.option(
    "--unlabelled",
    type=AnyPath(exists=True),
    metavar="FOLDER|FILE",
    help="Examples without a label, as --query of `tfmeta classify`: then it is said "
    "which of them to label next.",
)
@click.option(
    "--recall",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    default=0.95,
    show_default=True,
    help='Share of examples of these classes that the threshold of "none of these" is '
    "to accept.",
)
@click.option(
    "--page",
    type=WrittenFile(".html", new=True),
    metavar="FILE.html",
    help="Write all of it with the examples and drawings into a new file that opens "
    "in a browser, also offline.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How it is printed: sentences and tables, or one JSON document with the "
    "probabilities of every example.",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    metavar="SEED",
    help="Of how examples are dealt to folds.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Leave out pictures that cannot be read. By default all of them are listed, "
    "and nothing is estimated.",
)
@click.option(
    "--no-cache", is_flag=True, help="Do not keep features for the next call."
)
@DATA_DIR
def expect(
    source: Path,
    page: Path | None,
    form: str,
    no_cache: bool,
    data_dir: Path | None,
    **options: Any,
) -> None:
    """Say how well new examples of the classes in FOLDER will be told apart.

    From a few labelled examples alone: FOLDER has one sub-folder of pictures, .txt or
    .npy files per class; FILE is a CSV file with the columns text and label (or path
    and label, of files), or a .npz file with the arrays X and y. Nothing is trained but
    a head on the features of a pre-trained encoder (pictures: extra photos, texts:
    extra texts; arrays are features themselves), and each example is answered by
    others, while it is left out.

    Prints the accuracy to expect with its interval, whether more examples would
    help, accuracy by class, which classes are confused, examples that look
    mislabelled or are there twice, and a threshold for "none of these".
    """
    from tfmeta.cli.expect_job import ExpectJob
    from tfmeta.datasets.data_dir import resolve_data_dir

    kept = resolve_data_dir(data_dir) / "features"
    columns = {name: options.pop(name) for name in _COLUMNS}
    job = ExpectJob(
        source=source,
        cache_dir=None if no_cache else kept,
        columns={name: value for name, value in columns.items() if value is not None},
        **options,
    )
    report = job.estimate()

    from tfmeta.cli.expect_formats import FORMATS

    # What writes may fail, and then nothing is answered.
    if page is not None:
        report.write_page(page)
    write_lines(FORMATS[form](report), for_programs=form != "text")
    if page is not None:
        say(f"Wrote {shell_word(page)}", err=form != "text")
