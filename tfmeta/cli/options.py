"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path

import click

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where data sets are kept. [default: $TFMETA_DATA_DIR, or ~/.cache/tfmeta]",
)
AT_LEAST_1 = click.IntRange(min=1)
AT_LEAST_2 = click.IntRange(min=2)
SEED = click.IntRange(min=0)
