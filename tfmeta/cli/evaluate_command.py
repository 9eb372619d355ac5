"""`tfmeta evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfmeta.cli.lake_report import report_lake
from tfmeta.cli.options import AT_LEAST_1, AT_LEAST_2, DATA_DIR, SEED
from tfmeta.cli.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from tfmeta.episodes import Episodes
    from tfmeta.evaluation import EvaluationResult


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--ways", type=AT_LEAST_2, multiple=True, help="May be repeated.")
@click.option("--shots", type=AT_LEAST_1, multiple=True, help="May be repeated.")
@click.option("--queries", type=AT_LEAST_1, help="Queries per class.")
@click.option(
    "--episodes",
    "num_episodes",
    type=click.IntRange(min=600),
    default=1000,
    show_default=True,
)
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Of the episodes."
)
@click.option(
    "--untrained",
    is_flag=True,
    help="Measure the run's network with its first, random weights; keeps no figure.",
)
@click.option(
    "--realistic",
    is_flag=True,
    help="One table of usual episodes, of episodes within one group (alphabet, "
    "superclass), and of episodes of all test classes.",
)
@click.option(
    "--protocol",
    type=click.Choice(["lake"]),
    help="lake: instead of episodes, Lake's 20-way one-shot test within an alphabet, "
    "20 runs of 20 trials. Writes lake.json and lake.png into RUN.",
)
@DATA_DIR
def evaluate(
    run: Path,
    protocol: str | None,
    ways: tuple[int, ...],
    shots: tuple[int, ...],
    queries: int | None,
    num_episodes: int,
    seed: int,
    untrained: bool,
    realistic: bool,
    data_dir: Path | None,
) -> None:
    """Measure the learner of the run folder RUN on fixed test episodes.

    Every combination of the --ways and --shots is measured; what is left out
    is as in the run. Figures are printed and added to the run's metrics.json.
    """
    from tfmeta.runs.run_folder import RunFolder

    if protocol == "lake":
        report_lake(run, untrained=untrained, data_dir=data_dir)
        return
    folder = RunFolder(run)
    folder.read_config()
    start_tensorflow("metric")

    from rich.console import Console

    from tfmeta.cli.progress import progress_bar
    from tfmeta.cli.realistic_table import print_side_by_side
    from tfmeta.runs.building import build_learner
    from tfmeta.runs.data import load_split
    from tfmeta.runs.evaluate import (
        draw_realistic_episodes,
        draw_test_episodes,
        evaluate_run,
    )
    from tfmeta.runs.train import load_learner

    console = Console(highlight=False, soft_wrap=True)
    config = folder.read_config()
    if untrained:
        learner = build_learner(config, load_split(config, "train", data_dir))
    else:
        learner = load_learner(folder)

    def measure(episodes: Episodes) -> EvaluationResult:
        with progress_bar(console, "evaluating") as report:
            return evaluate_run(
                folder,
                learner,
                episodes,
                num_episodes=num_episodes,
                on_progress=report,
                keep=not untrained,
            )

    wanted: list[dict[str, Any]] = [
        {
            "ways": some_ways,
            "shots": some_shots,
            "queries": queries,
            "seed": seed,
            "data_dir": data_dir,
        }
        for some_ways in ways or (config.ways,)
        for some_shots in shots or (config.shots,)
    ]
    # All of them before the first is measured: what cannot be drawn is said at once.
    if realistic:
        for kinds in [draw_realistic_episodes(config, **w) for w in wanted]:
            results = {name: measure(drawn) for name, drawn in kinds.columns.items()}
            print_side_by_side(console, results, kinds.notes)
    else:
        for episodes in [draw_test_episodes(config, **w) for w in wanted]:
            console.print(str(measure(episodes)))
