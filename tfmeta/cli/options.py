"""Options that several subcommands share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where data sets are kept. [default: $TFMETA_DATA_DIR, or ~/.cache/tfmeta]",
)
AT_LEAST_1 = click.IntRange(min=1)
AT_LEAST_2 = click.IntRange(min=2)
SEED = click.IntRange(min=0)


def parse_arguments(words: Sequence[str]) -> dict[str, Any]:
    """Values by name of words `NAME=VALUE`: JSON where they parse, else text.

    Raises:
        ValueError: For a word without a name, or a name that comes twice.
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
    return values
