"""`tfmeta datasets describe`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfmeta.cli.column_options import column_options
from tfmeta.cli.command import Command
from tfmeta.cli.options import DATA_DIR, SEED, WORD, WholeRange, WrittenFile
from tfmeta.cli.output import say
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.printable import shell_word
from tfmeta.runs.columns import COLUMNS
from tfmeta.runs.config import MOST_PIXELS

if TYPE_CHECKING:
    from tfmeta.datasets import ClassTable
    from tfmeta.datasets.own.labelled_files import LabelledFiles


@click.command(cls=Command)
@click.argument("name", metavar="NAME|PATH", type=WORD)
@click.option(
    "--split",
    metavar="NAME",
    type=WORD,
    help="Look closely at one split (of NAME or tfds:NAME). [default: all of NAME; "
    "train of tfds:NAME, and for a contact sheet]",
)
@click.option(
    "--protocol",
    metavar="NAME",
    type=WORD,
    help="Split protocol (omniglot: vinyals, lake; clinc150 and banking77: "
    "new_intents, all_intents). [default: the first of these]",
)
@click.option("--seed", type=SEED, metavar="SEED", help="Of glyphs. [default: 0]")
@click.option(
    "--size",
    type=WholeRange(1, MOST_PIXELS),
    metavar="PIXELS",
    help="Side in pixels, for tfds:NAME with varying sizes. [default: the pictures' "
    "own]",
)
@click.option(
    "--contact-sheet",
    type=WrittenFile(".png", new=True),
    metavar="FILE.png",
    help="Draw some classes with a few examples each into a new file.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    default=None,
    help="Leave out files of a folder or CSV file, its lines and class folders that "
    "something is wrong with. By default all of them are listed.",
)
@column_options()
@DATA_DIR
def describe(
    name: str,
    split: str | None,
    protocol: str | None,
    seed: int | None,
    size: int | None,
    contact_sheet: Path | None,
    skip_bad: bool | None,
    data_dir: Path | None,
    **columns: str | None,
) -> None:
    """Print what data hold and which tasks they allow.

    NAME is one of `tfmeta datasets list`. PATH is data of your own: a folder with
    one sub-folder of pictures, .txt or .npy files for each class, a CSV file with the
    columns path and label or text and label, a .npz file with the arrays X and y, the
    folder of a prepared table, or tfds:NAME. Equal examples, values that are not
    finite and classes too small for the usual tasks are pointed out. The last lines
    say which tasks the splits allow that `tfmeta train` makes, and what it would
    train.
    """
    from tfmeta.datasets import load
    from tfmeta.datasets.registry import DATASETS

    known = name in DATASETS
    _check_options(
        name,
        known,
        split=split,
        protocol=protocol,
        seed=seed,
        size=size,
        skip_bad=skip_bad,
        **columns,
    )
    source: ClassTable | LabelledFiles
    if not known:
        named = {name: value for name, value in columns.items() if value is not None}
        source = _open(name, split, size, data_dir, named, skip_bad=bool(skip_bad))
    elif split is None and contact_sheet is None:
        _print_splits(name, protocol, seed, data_dir)
        if seed is None:  # `tfmeta train` has no other.
            _print_plan(name, {"protocol": protocol}, None, data_dir)
        return
    else:
        source = load(
            name,
            split=split or "train",
            protocol=protocol,
            seed=seed,
            data_dir=data_dir,
        )
    sides_differ = _print_facts(source)
    if not known and split in (None, "train"):
        to_say = "PIXELS" if sides_differ and size is None else size
        _print_plan(
            name,
            {"size": size, "skip_bad": skip_bad, **columns},
            source,
            data_dir,
            size=to_say,
        )
    if contact_sheet is not None:
        from tfmeta.datasets.contact_sheet import draw_contact_sheet

        drawn = draw_contact_sheet(source, contact_sheet)
        say(f"contact sheet: {drawn}")


def _check_options(name: str, known: bool, **options: object) -> None:
    """Refuses what would have no effect."""
    of_tfds = ("split", "size") if name.startswith("tfds:") else ()
    accepted: tuple[str, ...] = ("split", "protocol", "seed") if known else of_tfds
    if not known and not of_tfds:
        accepted = ("skip_bad", *COLUMNS)
    for option, value in options.items():
        if value is not None and option not in accepted:
            others = [a for a in accepted if a not in ("skip_bad", *COLUMNS)]
            takes = " and ".join(f"--{a}" for a in others)
            flag = f"--{option.replace('_', '-')}"
            raise click.UsageError(
                f"'{name}' takes {takes or 'none of these options'}. Received: {flag}"
                f"{'' if value is True else f' {value}'}"
            )


def _open(
    name: str,
    split: str | None,
    size: int | None,
    data_dir: Path | None,
    columns: Mapping[str, Any],
    *,
    skip_bad: bool,
) -> ClassTable | LabelledFiles:
    from tfmeta.datasets import ClassTable
    from tfmeta.datasets.own.csv_columns import CsvColumns
    from tfmeta.datasets.own.given_splits import given_splits
    from tfmeta.datasets.own.open_own import (
        check_columns,
        is_tfds,
        is_whole,
        list_own_files,
        open_own,
    )
    from tfmeta.datasets.own.own_split import split_own
    from tfmeta.datasets.registry import DATASETS

    if is_tfds(name):
        start_tensorflow("metric")
        return open_own(name, size=size, tfds_split=split or "train", data_dir=data_dir)
    of_file = CsvColumns(**columns)
    if Path(name).exists():
        check_columns(name, of_file)
    if is_whole(name, of_file):
        return open_own(name, **columns)
    if not Path(name).exists():
        raise FileNotFoundError(
            f"{name!r} must be the name of a data set ({', '.join(DATASETS)}), a path, "
            "or 'tfds:NAME'. Received: no such name, and nothing there"
        )
    if given_splits(name):
        whole = split_own(name, skip_bad=skip_bad).whole
        assert not isinstance(whole, ClassTable), "splits are given in folders"
        return whole
    return list_own_files(name, skip_bad=skip_bad, columns=of_file)


def _print_plan(
    name: str,
    chosen: Mapping[str, str | int | None],
    source: ClassTable | LabelledFiles | None,
    data_dir: Path | None,
    *,
    size: str | int | None = None,
) -> None:
    """Prints which tasks each split allows, and what `tfmeta train` makes of them."""
    from tfmeta.cli.description import print_split_tasks
    from tfmeta.cli.train_command import train
    from tfmeta.console import Console
    from tfmeta.datasets.describe import split_tasks
    from tfmeta.runs.data import split_sizes
    from tfmeta.runs.defaults import default_config
    from tfmeta.runs.run_in_words import describe_run

    console = Console()
    given = {option: value for option, value in chosen.items() if value is not None}
    options = "".join(
        f" --{option.replace('_', '-')}"
        + ("" if value is True else f" {shell_word(value)}")
        for option, value in ({**given, "size": size} if size else given).items()
    )
    command = f"tfmeta train --dataset {shell_word(name)}{options}"
    try:
        config = default_config(name, given, data_dir=data_dir)
    except ValueError as error:
        why = train.in_options(str(error), given)
        console.say(f"{command} refuses: {why}")
        return
    print_split_tasks(
        console,
        [split_tasks(*found) for found in split_sizes(config, data_dir).items()],
    )
    if source is not None and not _has_encoder(source):
        console.say(
            "`tfmeta train` has encoders for pictures, for text and for arrays of real "
            "numbers of 1 to 3 axes; these are trained in Python, with an encoder of "
            "your own."
        )
        return
    console.say(f"{command}: {describe_run(config)}")


def _has_encoder(source: ClassTable | LabelledFiles) -> bool:
    """Whether `tfmeta train` has an encoder for such examples."""
    from tfmeta.datasets import ClassTable
    from tfmeta.datasets.own.array_files import common_array_form
    from tfmeta.runs.data import kind_of, kind_of_examples

    if isinstance(source, ClassTable):
        return kind_of(source) != "other"
    if source.kind != "arrays":
        return True
    form = common_array_form(source.files)
    return kind_of_examples(form.shape, form.dtype) != "other"


def _print_splits(
    name: str, protocol: str | None, seed: int | None, data_dir: Path | None
) -> None:
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
        origins = len(set(table.origins))
        turned = origins != table.num_classes
        rotations = f"{origins:,} without their rotations, " if turned else ""
        text = table.examples.dtype == object
        shape = " x ".join(str(n) for n in table.example_shape)
        say(
            f"{split:10} {table.num_classes:,} classes{groups}, "
            f"{rotations}{sizes} examples each, "
            f"{'text' if text else f'{shape} {table.examples.dtype}'}"
        )
    say(table.description)


def _print_facts(source: ClassTable | LabelledFiles) -> bool:
    """Prints what is there, and says whether pictures differ in size."""
    from tfmeta.cli.description import print_description
    from tfmeta.cli.progress import progress_bar
    from tfmeta.console import Console
    from tfmeta.datasets import ClassTable
    from tfmeta.datasets.describe import describe_files, describe_table
    from tfmeta.datasets.own.readable import naming_all_unreadable

    console = Console()
    with progress_bar(console, "looking at every example") as report:
        if isinstance(source, ClassTable):
            facts = describe_table(source, on_progress=report)
        else:
            with naming_all_unreadable(source):
                facts = describe_files(source, on_progress=report)
    print_description(console, facts)
    for note in () if isinstance(source, ClassTable) else source.notes:
        console.say(f"Note: {note}")
    if facts.sides_differ:
        console.say("Pictures differ in size: `tfmeta train` takes --size PIXELS.")
    return bool(facts.sides_differ)
