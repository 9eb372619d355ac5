"""`tfmeta export`."""

from __future__ import annotations

from pathlib import Path

import click

from tfmeta.cli.command import Command
from tfmeta.cli.options import DATA_DIR, RUN, AnyPath
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.printable import shell_word


@click.command(cls=Command)
@click.argument("run", type=RUN)
@click.option(
    "--to",
    type=AnyPath(made=True, file_okay=False, writable=True),
    help="Folder of the versions. [default: RUN/saved_model]",
)
@DATA_DIR
def export(run: Path, to: Path | None, data_dir: Path | None) -> None:
    """Write the next version of the SavedModel of the run folder RUN.

    The version appears whole or not at all, so a server may poll the folder.
    """
    from tfmeta.runs.run_folder import RunFolder

    folder = RunFolder(run)
    folder.read_config()
    start_tensorflow("metric")

    from tfmeta.console import Console
    from tfmeta.runs.data import load_split
    from tfmeta.runs.export import export_run
    from tfmeta.runs.train import load_learner

    table = load_split(folder.read_config(), "test", data_dir)
    version = export_run(folder, load_learner(folder), table, to)
    Console().say(
        f"Wrote {version}",
        f"Look at it: saved_model_cli show --all --dir {shell_word(version)}",
    )
