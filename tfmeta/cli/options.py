"""Options that several subcommands share."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tfmeta.json_files import json_text

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where data sets are kept. [default: $TFMETA_DATA_DIR, or ~/.cache/tfmeta]",
)
AT_LEAST_1 = click.IntRange(min=1)
AT_LEAST_2 = click.IntRange(min=2)
SEED = click.IntRange(min=0)


class _FiniteRange(click.FloatRange):
    """A finite number of a range, which for click NaN is in."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


NOT_NEGATIVE = _FiniteRange(min=0)


class _Shots(click.ParamType):
    """A number of shots, or `SMALLEST-LARGEST`."""

    name = "integer or range"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | tuple[int, int]:
        if isinstance(value, int | tuple):
            return value
        try:
            least, dash, most = str(value).partition("-")
            shots = (int(least), int(most if dash else least))
        except ValueError:
            shots = (0, 0)
        if not 1 <= shots[0] <= shots[1]:
            self.fail(f"{value!r} is not a number from 1 or a range like 1-5", param)
        return shots if dash else shots[0]


SHOTS = _Shots()


def parse_arguments(words: Sequence[str]) -> dict[str, Any]:
    """Values by name of words `NAME=VALUE`: JSON where they parse, else text.

    Raises:
        ValueError: For a word without a name, a name that comes twice, and a number
            that is not finite.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier() or name in values:
            raise ValueError(
                "`--argument` must be NAME=VALUE, each name once. Received: "
                f"--argument {word}"
            )
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
        # Python reads more than JSON holds.
        json_text(values[name], f"`--argument {name}`")
    return values
