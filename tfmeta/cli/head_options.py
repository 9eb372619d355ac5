"""Which pre-trained encoder a command takes, and what compares its features."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfmeta.argument_names import renamed_arguments
from tfmeta.cli.config_options import Decorator
from tfmeta.cli.options import WORD, WholeRange
from tfmeta.registry import LEARNERS
from tfmeta.runs.config import MOST_PIXELS

if TYPE_CHECKING:
    import keras

PICTURES, TEXTS = "efficientnet_lite0", "wordllama"
LEARNER = "simple_shot"

HEADS = [name for name, entry in LEARNERS.items() if entry.trains_on == "nothing"]


def head_options(
    when: str, *, encoder_default: bool = True, several: str | None = None
) -> Decorator:
    """The options `--encoder`, `--size` and `--learner`.

    Args:
        when: When they are taken, in words that begin the help of each.
        encoder_default: Whether there is an encoder where none is named.
        several: Where `--encoder` may be repeated, what its help says of that.
    """
    learner = click.option(
        "--learner",
        type=click.Choice(HEADS),
        help=_help_of(when, "what compares the encoder's features.")
        + f" [default: {LEARNER}]",
    )
    encoder = encoder_options(when, default=encoder_default, several=several)
    return lambda function: encoder(learner(function))


def encoder_options(
    when: str = "", *, default: bool = True, several: str | None = None
) -> Decorator:
    """The options `--encoder` and `--size`; arguments as of `head_options`."""
    named = f" [default: {PICTURES} for pictures, {TEXTS} for texts]"
    encoder = click.option(
        "--encoder",
        type=WORD,
        metavar="NAME",
        multiple=several is not None,
        help=_help_of(when, "the pre-trained encoder, a name or a file of Keras.")
        + (several or "")
        + (named if default else ""),
    )
    size = click.option(
        "--size",
        type=WholeRange(1, MOST_PIXELS),
        metavar="PIXELS",
        help=_help_of(
            when,
            "side in pixels that pictures are brought to; 128 is two and a half "
            "times as fast. [default: the encoder's, 224]",
        ),
    )
    return lambda function: encoder(size(function))


def _help_of(when: str, text: str) -> str:
    return f"{when}{text}" if when else f"{text[0].upper()}{text[1:]}"


def check_run(run: Path | None, pretrained: Mapping[str, Any]) -> None:
    """Refuses options of a pre-trained encoder beside a run."""
    given = [name for name, value in pretrained.items() if value is not None]
    if run is not None and given:
        raise click.UsageError(
            f"--{given[0]} is for a pre-trained encoder. Received: --run {run}"
        )


def named_encoder(name: str, size: int | None = None) -> keras.Model:
    """The encoder that `--encoder` and `--size` ask for.

    Raises:
        ValueError: When there is none of this name, or it has no such size.
    """
    from tfmeta.encoders import pretrained

    with renamed_arguments({"name": "encoder"}):
        try:
            # Keras says there that it downloads; stdout is for answers.
            with contextlib.redirect_stdout(sys.stderr):
                return pretrained(name, size=size)
        except ValueError:
            with contextlib.suppress(ValueError):  # A network of grey pictures.
                return pretrained(name, size=size, input_shape=(None, None, 1))
            raise
