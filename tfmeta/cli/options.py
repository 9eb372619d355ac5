"""Options that several subcommands share."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from tfmeta.durable import check_folder, check_writable
from tfmeta.json_files import json_text
from tfmeta.printable import short_name

# More is a slip of the hand, which would end in the memory or in TensorFlow.
MOST_EPISODES = 1_000_000
MOST_SEEDS = 1_000
# What TensorFlow's random numbers take.
MOST_SEED = 2**63 - 1


class Word(click.ParamType):
    """Text that is not empty; an empty word is a variable of a script without value."""

    name = "text"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The word."""
        word = str(value)
        if not word.strip():
            self.fail(f"must not be empty. Received: {word!r}", param, ctx)
        return word


class AnyPath(click.Path):
    """A path; unlike click's, an empty word is not the folder where one is.

    Args:
        made: Whether it is a folder that the command makes: what stands above it must
            then be a folder, which can be written with `writable`.
        **attributes: Of `click.Path`.
    """

    def __init__(self, *, made: bool = False, **attributes: Any) -> None:
        super().__init__(path_type=Path, **attributes)
        self._made = made

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """The path."""
        WORD.convert(os.fspath(value), param, ctx)
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if self._made:
            try:
                check_folder(path, writable=self.writable)
            except OSError as error:
                self.fail(str(error), param, ctx)
        return path


class WrittenFile(AnyPath):
    """A file to write, which is looked at before there is anything to write.

    Args:
        suffix: What its name must end in, in lower case.
        new: Whether nothing may be there.
    """

    def __init__(self, suffix: str, *, new: bool) -> None:
        super().__init__(dir_okay=False)
        self.suffix = suffix
        self._new = new

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """The path."""
        path = super().convert(value, param, ctx)
        if path.suffix.lower() != self.suffix:
            self.fail(f"must name a {self.suffix} file. Received: {path}", param, ctx)
        try:
            check_writable(path, new=self._new)
        except OSError as error:
            self.fail(str(error), param, ctx)
        return path


class WholeRange(click.IntRange):
    """A whole number from a least to a most; `--help` shows both in words."""

    def _describe_range(self) -> str:
        return _range_in_words(self)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The number."""
        with _refused_in_words(self, value, param, ctx):
            return int(super().convert(value, param, ctx))


class FiniteRange(click.FloatRange):
    """A finite number of a range, which for click NaN is in."""

    def _describe_range(self) -> str:
        return _range_in_words(self)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number."""
        with _refused_in_words(self, value, param, ctx):
            number = float(super().convert(value, param, ctx))
            if not math.isfinite(number):
                raise click.BadParameter(str(value))
            return number


@contextlib.contextmanager
def _refused_in_words(
    numbers: click.IntRange | click.FloatRange,
    value: Any,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> Iterator[None]:
    """What is refused, with a sentence that says which numbers are not."""
    try:
        yield
    except click.BadParameter:
        whole = "whole " * isinstance(numbers, click.IntRange)
        numbers.fail(
            f"must be a {whole}number, {_range_in_words(numbers)}. Received: "
            f"{short_name(str(value), 60)}",
            param,
            ctx,
        )


def _range_in_words(numbers: click.IntRange | click.FloatRange) -> str:
    least, most = (
        "2**63 - 1" if end == MOST_SEED else f"{end:,.10g}"
        for end in (numbers.min or 0, numbers.max or 0)
    )
    return f"{'above ' if numbers.min_open else ''}{least} to {most}"


class Shots(click.ParamType):
    """A number of shots, or `SMALLEST-LARGEST`.

    Args:
        most: The largest number.
    """

    name = "integer or range"

    def __init__(self, most: int) -> None:
        self._most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | tuple[int, int]:
        """The number, or both."""
        if isinstance(value, int | tuple):
            return value
        try:
            least, dash, most = str(value).partition("-")
            shots = (int(least), int(most if dash else least))
        except ValueError:
            shots = (0, 0)
        if not 1 <= shots[0] <= shots[1] <= self._most:
            self.fail(
                f"{value!r} is not a number from 1 to {self._most:,} or a range like "
                "1-5",
                param,
            )
        return shots if dash else shots[0]


WORD = Word()
RUN = AnyPath(exists=True, file_okay=False)
EPISODES = WholeRange(600, MOST_EPISODES)
SEED = WholeRange(0, MOST_SEED)
DATA_DIR = click.option(
    "--data-dir",
    type=AnyPath(made=True, file_okay=False),
    help="Where data sets are kept. [default: $TFMETA_DATA_DIR, or ~/.cache/tfmeta]",
)


def number_of_seeds(least: int) -> WholeRange:
    """A number of trainings, each of another seed."""
    return WholeRange(least, MOST_SEEDS)


def parse_arguments(words: Sequence[str], option: str = "--argument") -> dict[str, Any]:
    """Values by name of words `NAME=VALUE`: JSON where they parse, else text.

    Args:
        words: They.
        option: The option that they come by, for errors.

    Raises:
        ValueError: For a word without a name, a name that comes twice, and a number
            that is not finite.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier() or name in values:
            raise ValueError(
                f"`{option}` must be NAME=VALUE, each name once. Received: "
                f"{option} {word}"
            )
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
        # Python reads more than JSON holds.
        json_text(values[name], f"`{option} {name}`")
    return values
