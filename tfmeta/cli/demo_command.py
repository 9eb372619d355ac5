"""`tfmeta demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfmeta.cli.command import Command
from tfmeta.cli.options import DATA_DIR, RUN, WholeRange
from tfmeta.extras import MissingExtraError, is_installed


@click.command(cls=Command)
@click.argument("run", metavar="[RUN]", required=False, type=RUN)
@click.option(
    "--port",
    type=WholeRange(0, 65_535),
    metavar="PORT",
    default=7860,
    show_default=True,
    help="The port; 0 for any that is free.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@DATA_DIR
def demo(run: Path | None, **options: Any) -> None:
    """Teach classes by a few examples, in the browser.

    Draw one example each of a few invented characters and then a new one, or drop
    photographs into classes and ask for a new one: the page says how probable each
    class is. Without RUN photographs are looked at by a pre-trained encoder (extra
    photos), characters by a run that is trained at the first start and kept in the data
    folder. RUN is a run of pictures, or a SavedModel's version folder. The page is for
    browsers of this machine alone, and asks nobody else.

    Needs: pip install "tfmeta[demo]"
    """
    if not is_installed("gradio"):
        raise MissingExtraError("tfmeta demo", "gradio", "demo")
    from tfmeta.cli.demo_job import DemoJob

    DemoJob(run=run, **options).serve()
