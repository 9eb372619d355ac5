"""`tfmeta evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfmeta.cli.command import Command
from tfmeta.cli.config_options import task_options
from tfmeta.cli.matrix_options import MatrixJob, check_matrix_options, matrix_options
from tfmeta.cli.options import DATA_DIR, EPISODES, RUN, SEED
from tfmeta.cli.protocol_options import chosen_protocol, protocol_options
from tfmeta.cli.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from tfmeta.console import Console
    from tfmeta.learners import FewShotLearner
    from tfmeta.runs.measuring.protocol import Drawn, MeasuringProtocol
    from tfmeta.runs.run_folder import RunFolder


@click.command(cls=Command)
@click.argument("runs", metavar="RUN...", nargs=-1, type=RUN)
@task_options(default="as in the run", several=("ways", "shots"))
@click.option(
    "--episodes",
    "num_episodes",
    type=EPISODES,
    metavar="EPISODES",
    default=1000,
    show_default=True,
    help="Number of test episodes.",
)
@click.option(
    "--seed",
    type=SEED,
    metavar="SEED",
    default=0,
    show_default=True,
    help="Seed of the episodes.",
)
@click.option(
    "--untrained",
    is_flag=True,
    help="Measure the run's network with its first, random weights; keeps no figure.",
)
@protocol_options
@matrix_options
@DATA_DIR
@click.pass_context
def evaluate(
    context: click.Context,
    runs: tuple[Path, ...],
    untrained: bool,
    data_dir: Path | None,
    **of_protocols: Any,
) -> None:
    """Measure the learner of the run folder RUN on fixed test episodes.

    Every combination of the --ways and --shots is measured; what is left out
    is as in the run. Figures are printed and added to the run's metrics.json.
    Of several RUNs that differ in their training seed alone, each is measured,
    and the spread over training seeds is printed. With --matrix RUNs may be of
    any training, or be left out.
    """
    if check_matrix_options(context):
        from tfmeta.cli.matrix_job import measure_and_show

        measure_and_show(MatrixJob.of(context.params))
        return
    from tfmeta.runs.run_folder import RunFolder
    from tfmeta.runs.training_seeds import check_same_but_seed

    folders = [RunFolder(run) for run in runs]
    check_same_but_seed(folders)
    configs = [folder.read_config() for folder in folders]
    protocol = chosen_protocol(context, configs[0].task)
    start_tensorflow("metric")

    from tfmeta.console import Console
    from tfmeta.runs.changed_data import changes_of_data
    from tfmeta.runs.plan import untrained_learner
    from tfmeta.runs.train import load_learner

    console = Console()
    # All before the first is measured: what cannot be is said at once.
    for folder, config in () if untrained else zip(folders, configs, strict=True):
        folder.check_has_learner()
        protocol.check_keepable(folder, config)
    all_drawn = [protocol.draw(config, data_dir=data_dir) for config in configs]
    changed = changes_of_data(configs[0], data_dir)
    if changed is not None:
        console.say(f"Note: {changed}")
    measured = []
    for folder, config, drawn in zip(folders, configs, all_drawn, strict=True):
        if len(folders) > 1 and protocol.names_runs:
            console.say(f"{folder.path}, training seed {config.seed}")
        if untrained:
            learner = untrained_learner(config, data_dir)
        else:
            learner = load_learner(folder)
        measured.append(
            [
                result
                for together in drawn
                for result in _measure_together(
                    console,
                    folder,
                    learner,
                    protocol,
                    together,
                    data_dir=data_dir,
                    keep=not untrained,
                )
            ]
        )
    if len(folders) > 1:
        console.show(*protocol.report_spread(measured))


def _measure_together(
    console: Console,
    folder: RunFolder,
    learner: FewShotLearner,
    protocol: MeasuringProtocol[Any, Any],
    drawn: Drawn[Any],
    *,
    data_dir: Path | None,
    keep: bool,
) -> list[Any]:
    """Measures what is printed at once, and prints it."""
    from tfmeta.cli.progress import progress_bar
    from tfmeta.runs.measuring.measure import measure_part

    console.say(*drawn.said)
    results = {}
    for name, part in drawn.parts.items():
        with progress_bar(console, protocol.progress) as report:
            results[name] = measure_part(
                folder,
                learner,
                protocol,
                part,
                data_dir=data_dir,
                on_progress=report,
                keep=keep,
            )
    console.show(*protocol.report(folder, drawn, results, kept=keep))
    return list(results.values())
