"""`tfmeta evaluate RUN --protocol lake`."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from tfmeta.cli.tensorflow_start import start_tensorflow

_TAKEN = {"runs", "protocol", "untrained", "data_dir"}


def report_lake(run: Path, *, untrained: bool, data_dir: Path | None) -> None:
    """Measures a run by Lake's one-shot test, and prints what was found.

    Args:
        run: The run folder.
        untrained: Whether to measure its network with its first weights, and keep
            nothing.
        data_dir: Where data sets are kept, `None` for the default.

    Raises:
        click.UsageError: When an option was given that the test leaves no choice of.
    """
    _refuse_other_options(click.get_current_context())
    from tfmeta.runs.run_folder import RunFolder

    folder = RunFolder(run)
    config = folder.read_config()
    start_tensorflow("metric")

    from rich.console import Console

    from tfmeta.cli.progress import progress_bar
    from tfmeta.datasets.registry import DATASETS
    from tfmeta.runs.building import build_learner
    from tfmeta.runs.data import light_ground, load_split
    from tfmeta.runs.lake import evaluate_run_on_lake
    from tfmeta.runs.train import load_learner

    console = Console(highlight=False, soft_wrap=True)
    if untrained:
        learner = build_learner(config, load_split(config, "train", data_dir))
    else:
        learner = load_learner(folder)
    trained_on = None
    if config.dataset not in DATASETS:
        trained_on = load_split(config, "train", data_dir)
        if light_ground(trained_on):
            console.print(
                "The run was trained on dark on light and Lake's pictures are light on "
                "dark: support and queries are inverted"
            )
    with progress_bar(console, "Lake's test") as report:
        result = evaluate_run_on_lake(
            folder,
            learner,
            trained_on=trained_on,
            data_dir=data_dir,
            on_progress=report,
            keep=not untrained,
        )
    console.print(str(result))
    if not untrained:
        console.print(f"Every answer is drawn in {folder.lake_picture}")


def _refuse_other_options(context: click.Context) -> None:
    """The test has its own ways, shots, queries and pictures: nothing is drawn."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in _TAKEN and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{parameter.opts[0]} must be left out with --protocol lake, whose "
                f"pictures are given. Received: {parameter.opts[0]}",
                context,
            )
