"""`tfmeta gallery`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tfmeta.cli.command import Group
from tfmeta.cli.gallery_enrol_command import enrol
from tfmeta.cli.gallery_options import CLASS_NAME, GALLERY
from tfmeta.cli.gallery_words import check_names, count
from tfmeta.cli.head_options import check_run, head_options
from tfmeta.cli.options import (
    MOST_SEED,
    RUN,
    AnyPath,
    WholeRange,
)
from tfmeta.cli.output import say, write_lines
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import DATABASE
from tfmeta.printable import shell_word

# Seconds to wait for another writer.
WAIT = 30.0
_MOST_TOP = 1000


@click.group(cls=Group)
def gallery() -> None:
    """Enrol classes from a few examples each, and keep them.

    Nothing is trained: an encoder looks at examples, and `tfmeta classify GALLERY`
    takes each query for the class that is nearest, or for none of these. Every change
    is on the disk when its command ends; undo takes back what was enrolled, forgotten
    or renamed.
    """


gallery.add_command(enrol)


@gallery.command()
@GALLERY
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=CLASS_NAME)
@click.option(
    "--example",
    "example_ids",
    type=WholeRange(1, MOST_SEED),
    metavar="ID",
    multiple=True,
    help="Remove this example alone; several times for several. `tfmeta gallery list "
    "--examples NAME` lists them.",
)
def forget(gallery: Path, names: tuple[str, ...], example_ids: tuple[int, ...]) -> None:
    """Remove classes from GALLERY, or some examples of one.

    What is removed stays in the file for `tfmeta gallery undo`, until `tfmeta gallery
    purge` erases it.
    """
    names = tuple(dict.fromkeys(names))
    if example_ids and len(names) > 1:
        raise click.UsageError(
            f"--example takes one NAME. Received: {len(names)} of them"
        )
    with _opened(gallery) as store:
        check_names(names, store.class_sizes(), gallery)
        if example_ids:
            _check_ids(store, names[0], example_ids)
        for name in names:
            change = store.forget(name, list(dict.fromkeys(example_ids)) or None)
            say(f"Removed {change.what}")
    times = "" if len(names) == 1 else f", {len(names)} times for all of them"
    say(f"Take it back: tfmeta gallery undo {shell_word(gallery)}{times}")


@gallery.command()
@GALLERY
@click.argument("name", metavar="NAME", type=CLASS_NAME)
@click.argument("to", metavar="NEW", type=CLASS_NAME)
def rename(gallery: Path, name: str, to: str) -> None:
    """Give the class NAME of GALLERY the name NEW."""
    with _opened(gallery) as store:
        sizes = store.class_sizes()
        check_names([name], sizes, gallery)
        if to in sizes:
            received = "that of another class; remove one of them, or enrol into it"
            received = "the same" if to == name else received
            raise ValueError(
                f"NEW must be a name that no class of {gallery} has. Received: "
                f"{to!r}, {received}"
            )
        say(f"Renamed: {store.rename(name, to).what}")


@gallery.command("list")
@GALLERY
@click.option(
    "--examples",
    "examples_of",
    type=CLASS_NAME,
    metavar="NAME",
    help="List the examples of a class, with the ids that `forget --example` takes.",
)
@click.option("--changes", is_flag=True, help="List what was changed, and when.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="Lines with tabs, one JSON document, or a CSV table (then what is no table "
    "goes to stderr).",
)
def list_(gallery: Path, examples_of: str | None, changes: bool, form: str) -> None:
    """List the classes of GALLERY with the number of their examples.

    The learner, the digest of the encoder, the threshold and what it comes from, and
    the format version follow. Names are escaped in text: tabs, newlines and the like.
    """
    if examples_of is not None and changes:
        raise click.UsageError(
            "--examples and --changes exclude each other. Received: both"
        )
    from tfmeta.cli.gallery_listing import (
        LISTED,
        list_changes,
        list_classes,
        list_examples,
    )

    with _opened(gallery) as store:
        if changes:
            listing = list_changes(store, gallery)
        elif examples_of is not None:
            listing = list_examples(store, gallery, examples_of)
        else:
            listing = list_classes(store, gallery)
    write_lines(LISTED[form](listing), for_programs=form != "text")
    if form == "csv":
        say(*listing.words, err=True)


@gallery.command()
@GALLERY
@click.option(
    "--past",
    is_flag=True,
    help="Pass over changes that cannot be undone, as of re-embed, to the one before.",
)
def undo(gallery: Path, past: bool) -> None:
    """Undo the latest change of GALLERY that is not undone; again, the one before."""
    with _opened(gallery) as store:
        undone = store.undo(past=past)
        sizes = store.class_sizes()
    say(
        f"Undid {undone.kind} of {undone.made_at}: {undone.what}",
        f"{gallery} holds {count(len(sizes), 'class')} with "
        f"{count(sum(sizes.values()), 'example')}",
    )


@gallery.command()
@GALLERY
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(gallery: Path, yes: bool) -> None:
    """Erase for good what was removed from GALLERY.

    Changes before can no longer be undone.
    """
    with _opened(gallery) as store:
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError(
                    "purge asks before it erases, or takes --yes. Received: no "
                    "terminal to ask at, and no --yes"
                )
            say(f"What was removed from {gallery} is erased, and no change undone.")
            if not click.confirm("Erase it?"):
                say("Nothing was erased.")
                return
        kinds = [change.kind for change in store.changes()]
        lost = sum(kind in ("enrol", "forget", "rename") for kind in kinds)
        say(
            f"Erased {store.purge().what}",
            f"{count(lost, 'change')} can no longer be undone",
        )


@gallery.command("re-embed")
@GALLERY
@click.option(
    "--run",
    type=RUN,
    help="The run folder whose trained learner takes over.",
)
@head_options("", encoder_default=False)
def re_embed(gallery: Path, run: Path | None, **pretrained: Any) -> None:
    """Let another learner look at the kept originals of GALLERY, and take over.

    All embeddings are made anew. A threshold of validation episodes was the former
    learner's; cross-validation of what is enrolled follows it.
    """
    check_run(run, pretrained)
    if run is None and pretrained["encoder"] is None:
        raise click.UsageError("Missing option '--run' (or '--encoder').")
    from tfmeta.cli.gallery_learner import ChosenLearner
    from tfmeta.cli.gallery_re_embedding import re_embed_gallery

    change = re_embed_gallery(gallery, ChosenLearner(run, **pretrained))
    say(
        f"Embedded {change.what}",
        f"Next: tfmeta classify {shell_word(gallery)} --query NEW",
    )


@gallery.command()
@GALLERY
@click.option(
    "--to",
    type=AnyPath(made=True, file_okay=False, writable=True),
    help="Folder of the versions. [default: GALLERY/saved_model]",
)
@click.option(
    "--top",
    type=WholeRange(1, _MOST_TOP),
    metavar="CLASSES",
    default=5,
    show_default=True,
    help="How many of the most probable classes an answer names.",
)
def export(gallery: Path, to: Path | None, top: int) -> None:
    """Write a SavedModel that classifies among the classes of GALLERY as it is now.

    It needs TensorFlow alone. The version appears whole or not at all, so a server may
    poll the folder.
    """
    from tfmeta.cli.tensorflow_start import start_tensorflow

    with _opened(gallery) as store:
        if not store.class_sizes():
            raise ValueError(
                f"{gallery} must have at least one class. Received: none; enrol some"
            )
    start_tensorflow("metric")
    from tfmeta.gallery import Gallery

    with contextlib.closing(Gallery(gallery)) as opened:
        version = opened.export(gallery / "saved_model" if to is None else to, top=top)
    say(
        f"Wrote {version}",
        f"Look at it: saved_model_cli show --all --dir {shell_word(version)}",
    )


@contextlib.contextmanager
def _opened(gallery: Path) -> Iterator[GalleryStore]:
    """What is on disk, without the learner; what is not there is bad input."""
    try:
        store = GalleryStore(gallery / DATABASE, wait=WAIT)
        with contextlib.closing(store):
            yield store
    except KeyError as error:
        # Of a class that somebody else has just removed.
        raise ValueError(error.args[0]) from error


def _check_ids(store: GalleryStore, name: str, example_ids: tuple[int, ...]) -> None:
    there = [one.id for one in store.examples_of(name)]
    missing = [one for one in example_ids if one not in there]
    if missing:
        shown = ", ".join(map(str, there[:10]))
        more = f" and {len(there) - 10:,} more" if len(there) > 10 else ""
        raise ValueError(
            f"--example must be the id of an example of {name!r}, {shown}{more}. "
            f"Received: {', '.join(map(str, missing))}"
        )
