"""`tfmeta compare`."""

from __future__ import annotations

from pathlib import Path

import click

from tfmeta.cli.command import Command
from tfmeta.cli.config_options import task_options
from tfmeta.cli.options import DATA_DIR, EPISODES, RUN, SEED
from tfmeta.cli.tensorflow_start import start_tensorflow


@click.command(cls=Command)
@click.argument("first", metavar="RUN", type=RUN)
@click.argument("second", metavar="RUN", type=RUN)
@task_options(default="as in the first RUN")
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
@DATA_DIR
def compare(
    first: Path,
    second: Path,
    num_episodes: int,
    seed: int,
    data_dir: Path | None,
    **given: int | None,
) -> None:
    """Compare the learners of two run folders on identical test episodes.

    What is left out is as in the first RUN. Figures that a run's metrics.json
    has are taken from it, others are measured and added. One run is called the
    better only where the 95 % intervals of the difference, over episode draws and
    over test classes, both exclude 0.
    """
    from tfmeta.runs.run_folder import RunFolder

    folders = (RunFolder(first), RunFolder(second))
    for folder in folders:
        folder.read_config()
    start_tensorflow("metric")

    from tfmeta.cli.progress import progress_bar
    from tfmeta.console import Console
    from tfmeta.runs.compare import compare_runs, draw_common_episodes

    console = Console()
    task = folders[0].read_config().test.with_given(**given)
    episodes = draw_common_episodes(*folders, task, seed=seed, data_dir=data_dir)
    with progress_bar(console, "evaluating") as report:
        found = compare_runs(
            *folders,
            episodes,
            num_episodes=num_episodes,
            data_dir=data_dir,
            on_progress=report,
        )
    for path, result in ((first, found.first), (second, found.second)):
        console.say(str(path), *str(result).split("\n"), "")
    difference, *intervals = str(found.difference).split("\n")
    console.say(f"{first} minus {second}: {difference}", *intervals)
    better = {"first": first, "second": second, None: None}[found.difference.better]
    if better is None:
        console.say("Neither is shown to be better: an interval includes 0.")
    else:
        console.say(f"{better} is better, of these two trainings.")
