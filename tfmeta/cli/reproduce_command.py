"""`tfmeta reproduce`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from tfmeta.cli.command import Command
from tfmeta.cli.options import (
    DATA_DIR,
    EPISODES,
    WORD,
    AnyPath,
    FiniteRange,
    number_of_seeds,
)
from tfmeta.cli.output import say
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.registry import family_of
from tfmeta.reproduction.row import Row


@click.command(cls=Command)
@click.argument("table", required=False, type=WORD)
@click.option(
    "--row",
    "names",
    type=WORD,
    metavar="NAME",
    multiple=True,
    help="Name of a row, as --list shows it; may be repeated. [default: all rows]",
)
@click.option(
    "--output",
    type=AnyPath(made=True, file_okay=False, writable=True),
    help="Folder of the runs and of the table. [default: reproduced/TABLE]",
)
@click.option(
    "--seeds",
    type=number_of_seeds(1),
    metavar="SEEDS",
    default=1,
    show_default=True,
    help="Train each row with the seeds 0, 1, ...; the table shows their spread.",
)
@click.option(
    "--budget",
    type=FiniteRange(0, 1000, min_open=True),
    metavar="TIMES",
    default=1.0,
    show_default=True,
    help="Train so many times the epochs of each row.",
)
@click.option(
    "--test-episodes",
    type=EPISODES,
    metavar="EPISODES",
    default=1000,
    show_default=True,
    help="Fixed test episodes per figure.",
)
@click.option(
    "--list",
    "list_only",
    is_flag=True,
    help="Show the rows and what they train; without TABLE, of all tables.",
)
@click.option(
    "--table-only",
    is_flag=True,
    help="Train and measure nothing; write the table of what is there.",
)
@click.option(
    "--readme",
    type=AnyPath(dir_okay=False, exists=True),
    help="Put the table into this file, too, between <!-- TABLE table --> and "
    "<!-- end of TABLE table -->.",
)
@click.option(
    "--from-result",
    type=AnyPath(dir_okay=False, exists=True),
    help="With --readme: take the table from its JSON file, without the runs.",
)
@DATA_DIR
def reproduce(
    table: str | None,
    names: tuple[str, ...],
    output: Path | None,
    seeds: int,
    budget: float,
    test_episodes: int,
    list_only: bool,
    table_only: bool,
    readme: Path | None,
    from_result: Path | None,
    data_dir: Path | None,
) -> None:
    """Train and evaluate the rows of a published TABLE.

    TABLE is omniglot, mini-imagenet, control (returns of policies, of which no numbers
    are published), or a folder with a JSON file for each row. Rows come one after the
    other. What is trained or measured already is kept,
    what was stopped goes on, so the command can be given again at any time. The
    table shows all runs in the folder, of whatever seed and budget, and keeps the
    figures that a TABLE.json in it holds of runs whose folders are gone.
    """
    from tfmeta.reproduction.returns.row import NAME as RETURNS
    from tfmeta.reproduction.table import NAMES, load_table

    if table == RETURNS:
        from tfmeta.cli.reproduce_returns_job import ReturnsJob

        if from_result is not None and readme is None:
            raise click.UsageError("--from-result goes with --readme.")
        job = ReturnsJob(
            output or Path("reproduced") / RETURNS, names, range(seeds), budget, readme
        )
        if list_only:
            job.list()
        elif from_result is not None:
            job.put(from_result)
        else:
            job.run(train=not table_only)
        return

    if table is None:
        if not list_only or names:
            raise click.UsageError(
                f"Missing argument 'TABLE': {', '.join(NAMES)}, or a folder. --list "
                "shows the rows of each."
            )
        for name in NAMES:
            say(f"Table {name}")
            _list(load_table(name).rows, budget)
        return
    loaded = load_table(table)
    rows = loaded.select(names)
    if from_result is not None and readme is None:
        raise click.UsageError("--from-result goes with --readme.")
    if list_only:
        _list(rows, budget)
        return
    families = {family_of(row.train_config().learner) for row in rows}
    start_tensorflow("optimization" if families == {"optimization"} else "metric")

    from tfmeta.cli.reproduce_job import put_result_into_readme, reproduce_rows

    if from_result is not None:
        assert readme is not None
        put_result_into_readme(from_result, loaded.name, readme)
        return
    # Of an absolute path the name alone, since the rest says nothing elsewhere.
    said = f".../{Path(table).name}" if Path(table).is_absolute() else table
    command = f"tfmeta reproduce {said}"
    if test_episodes != 1000:
        command += f" --test-episodes {test_episodes}"
    reproduce_rows(
        loaded,
        () if table_only else rows,
        output or Path("reproduced") / loaded.name,
        seeds=range(seeds),
        budget=budget,
        test_episodes=test_episodes,
        command=command,
        readme=readme,
        data_dir=data_dir,
    )


def _list(rows: Iterable[Row], budget: float) -> None:
    for row in rows:
        config = row.train_config(budget=budget)
        say(f"{row.name}: {row.title} ({row.paper.authors}, {row.paper.year})")
        say(
            f"  one training of {config.learner} on {config.dataset}, "
            f"{config.epochs} epochs of {config.steps_per_epoch} steps, "
            f"{config.steps:,} in all"
        )
        for column in row.columns:
            goal = (
                ""
                if column.goal is None
                else f", goal {column.bound} {column.goal:g} %"
            )
            say(f"  {column.label}: published {column.published.percent:g} %{goal}")
