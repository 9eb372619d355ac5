"""`tfmeta evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from tfmeta.cli.config_options import task_options
from tfmeta.cli.lake_report import report_lake
from tfmeta.cli.options import AT_LEAST_1, DATA_DIR, SEED
from tfmeta.cli.tensorflow_start import start_tensorflow


@click.command()
@click.argument(
    "runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@task_options(default="as in the run", several=("ways", "shots"))
@click.option(
    "--episodes",
    "num_episodes",
    type=click.IntRange(min=600),
    default=1000,
    show_default=True,
    help="Number of test episodes.",
)
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Seed of the episodes."
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
    "--open-set",
    is_flag=True,
    help='Episodes with queries of unknown classes, to be answered by "none of '
    'these". Writes open_set.json into RUN, for `tfmeta classify --open-set`.',
)
@click.option(
    "--unknown-ways",
    type=AT_LEAST_1,
    help="With --open-set: unknown classes per task. [default: as many as --ways]",
)
@click.option(
    "--confusion",
    is_flag=True,
    help="Draw which class was taken for which into RUN/confusion.png.",
)
@click.option(
    "--protocol",
    type=click.Choice(["lake"]),
    help="lake: instead of episodes, Lake's 20-way one-shot test within an alphabet, "
    "20 runs of 20 trials. Writes lake.json and lake.png into RUN.",
)
@DATA_DIR
def evaluate(
    runs: tuple[Path, ...],
    protocol: str | None,
    ways: tuple[int, ...],
    shots: tuple[int, ...],
    queries: int | None,
    num_episodes: int,
    seed: int,
    untrained: bool,
    realistic: bool,
    open_set: bool,
    unknown_ways: int | None,
    confusion: bool,
    data_dir: Path | None,
) -> None:
    """Measure the learner of the run folder RUN on fixed test episodes.

    Every combination of the --ways and --shots is measured; what is left out
    is as in the run. Figures are printed and added to the run's metrics.json.
    Of several RUNs that differ in their training seed alone, each is measured,
    and the spread over training seeds is printed.
    """
    from tfmeta.runs.run_folder import RunFolder
    from tfmeta.runs.training_seeds import check_same_but_seed

    folders = [RunFolder(run) for run in runs]
    check_same_but_seed(folders)
    if protocol == "lake":
        for run in runs:
            report_lake(run, untrained=untrained, data_dir=data_dir)
        return
    _check_options(
        realistic=realistic,
        open_set=open_set,
        unknown_ways=unknown_ways,
        confusion=confusion,
        untrained=untrained,
    )
    start_tensorflow("metric")

    from tfmeta.cli.evaluate_job import EvaluateJob

    job = EvaluateJob(
        ways=ways,
        shots=shots,
        queries=queries,
        num_episodes=num_episodes,
        seed=seed,
        untrained=untrained,
        data_dir=data_dir,
    )
    if open_set:
        job.measure_open_set(folders, unknown_ways=unknown_ways)
    elif realistic:
        job.measure_realistic(folders)
    else:
        job.measure(folders, confusion=confusion)


def _check_options(
    *,
    realistic: bool,
    open_set: bool,
    unknown_ways: int | None,
    confusion: bool,
    untrained: bool,
) -> None:
    if realistic and open_set:
        raise click.UsageError(
            "--realistic and --open-set must be given one at a time. Received: both"
        )
    if unknown_ways is not None and not open_set:
        raise click.UsageError(
            "--unknown-ways needs --open-set. Received: --unknown-ways "
            f"{unknown_ways} without"
        )
    others = {
        "--realistic": realistic,
        "--open-set": open_set,
        "--untrained": untrained,
    }
    given = [name for name, is_given in others.items() if is_given]
    if confusion and given:
        raise click.UsageError(
            "--confusion draws the usual figures of a trained run. Received: "
            f"--confusion with {given[0]}"
        )
