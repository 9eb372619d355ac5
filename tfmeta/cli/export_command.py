"""`tfmeta export`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from tfmeta.cli.command import Command
from tfmeta.cli.options import DATA_DIR, RUN, AnyPath
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.printable import shell_word


@click.command(cls=Command)
@click.argument("run", type=RUN)
@click.option(
    "--format",
    "form",
    type=click.Choice(["saved_model", "onnx", "litert"]),
    default="saved_model",
    help="A SavedModel for servers; the encoder and `classify` as ONNX, for browsers "
    "and other runtimes; or both as LiteRT, for phones. [default: saved_model]",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "int8"]),
    help="Of the numbers in LiteRT files; int8 takes training examples of the run to "
    "find their ranges. [default: float32]",
)
@click.option(
    "--to",
    type=AnyPath(made=True, file_okay=False, writable=True),
    help="Folder of the versions. [default: RUN/FORMAT]",
)
@DATA_DIR
def export(
    run: Path,
    form: Literal["saved_model", "onnx", "litert"],
    precision: Literal["float32", "float16", "int8"] | None,
    to: Path | None,
    data_dir: Path | None,
) -> None:
    """Write the next version of the run folder RUN for those who use it.

    A version appears whole or not at all, so a server may poll the folder. ONNX and
    LiteRT need: pip install "tfmeta[edge]"
    """
    if precision is not None and form != "litert":
        raise ValueError(
            "`--precision` must be left out but for --format litert. Received: "
            f"--precision {precision} for --format {form}"
        )
    from tfmeta.runs.run_folder import RunFolder

    folder = RunFolder(run)
    config = folder.read_config()
    if config.task != "classification" and form != "saved_model":
        raise ValueError(
            f"`--format` must be saved_model for a run of {config.task}. Received: "
            f"--format {form}"
        )
    start_tensorflow("metric")

    from tfmeta.argument_names import renamed_arguments
    from tfmeta.console import Console
    from tfmeta.runs.control.export import export_policy
    from tfmeta.runs.data import load_split
    from tfmeta.runs.edge_export import export_run_to_litert, export_run_to_onnx
    from tfmeta.runs.export import export_run
    from tfmeta.runs.regression.data import load_tasks
    from tfmeta.runs.train import load_learner

    split = "train" if precision == "int8" else "test"
    learner = load_learner(folder)
    with renamed_arguments({"path": "to"}):
        if config.task == "control":
            version = export_policy(folder, learner, to)
        elif config.task == "regression":
            version = export_run(folder, learner, load_tasks(config, split), to)
        elif form == "saved_model":
            table = load_split(config, split, data_dir)
            version = export_run(folder, learner, table, to)
        elif form == "onnx":
            table = load_split(config, split, data_dir)
            version = export_run_to_onnx(folder, learner, table, to)
        else:
            table = load_split(config, split, data_dir)
            version = export_run_to_litert(
                folder, learner, table, to, precision=precision or "float32"
            )
    look = f"saved_model_cli show --all --dir {shell_word(version)}"
    if form != "saved_model":
        look = str(shell_word(version / "tfmeta.json"))
    Console().say(f"Wrote {version}", f"Look at it: {look}")
