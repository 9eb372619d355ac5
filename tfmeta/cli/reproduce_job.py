"""What `tfmeta reproduce` does, row by row, and what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE
from rich.table import Table

from tfmeta.callbacks import TrainingProgress
from tfmeta.cli.progress import progress_bar
from tfmeta.console import Console
from tfmeta.printable import one_line
from tfmeta.reproduction.collect import collect
from tfmeta.reproduction.files import read_earlier, read_result, write_table
from tfmeta.reproduction.markdown import figure_rows, header, markdown
from tfmeta.reproduction.measure import check_config, measure_row, train_row
from tfmeta.reproduction.readme import check_readme, put_into_readme
from tfmeta.reproduction.row import Row
from tfmeta.reproduction.table import ReproductionTable
from tfmeta.runs.measuring.registry import protocols_in_tables
from tfmeta.runs.plan import plan_training
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_training, describe_validation


def reproduce_rows(
    table: ReproductionTable,
    rows: Sequence[Row],
    directory: Path,
    *,
    seeds: Sequence[int],
    budget: float,
    test_episodes: int,
    command: str,
    readme: Path | None,
    data_dir: Path | None,
) -> None:
    """Trains and measures rows of a table, then writes the table of all of them.

    A row that cannot be trained does not keep the others from it; the table is
    written after every run, so that it is there however the command ends.

    Raises:
        ValueError: At the end, when a run could not be made or be read; before the
            first, when `readme` has no place for the table.
    """
    console = Console()
    if readme is not None:
        check_readme(readme, table.name)

    def write() -> dict[str, Any]:
        content = collect(
            table,
            directory,
            test_episodes=test_episodes,
            command=command,
            earlier=read_earlier(table.name, directory),
        )
        written.extend(write_table(content, directory))
        return content

    written: list[Path] = []
    failed = []
    for row in rows:
        for seed in seeds:
            folder = RunFolder(directory / row.folder_name(seed=seed, budget=budget))
            try:
                with folder.only_writer():
                    _run(console, row, folder, seed, budget, test_episodes, data_dir)
            except (ValueError, TypeError, OSError) as error:
                failed.append(row.name)
                console.say(f"Error in row {row.name}: {' '.join(str(error).split())}")
            else:
                write()
    written.clear()
    content = write()
    _show(console, content)
    for path in written:
        console.say(f"written to {path}")
    if readme is not None:
        put_into_readme(readme, table.name, markdown(content))
        console.say(f"written to {readme}")
    if content["left_out"]:
        raise ValueError("; ".join(content["left_out"]))
    if failed:
        raise ValueError(
            f"{', '.join(dict.fromkeys(failed))}: not reproduced, as said above"
        )


def put_result_into_readme(result: Path, name: str, readme: Path) -> None:
    """Puts the table of a JSON file that `write_table` wrote into a README.

    Raises:
        ValueError: When the file is damaged or holds another table.
    """
    content = read_result(result)
    if content["table"] != name:
        raise ValueError(
            f"{result} must hold table {name!r}. Received: {content['table']!r}"
        )
    put_into_readme(readme, name, markdown(content))
    Console().say(f"written to {readme}")


def _run(
    console: Console,
    row: Row,
    folder: RunFolder,
    seed: int,
    budget: float,
    test_episodes: int,
    data_dir: Path | None,
) -> None:
    config = row.train_config(seed=seed, budget=budget)
    check_config(folder, config)
    # Before it is announced: what cannot be trained is not.
    plan = None if folder.is_trained else plan_training(config, data_dir=data_dir)
    if folder.is_trained:
        state = "is trained already,"
    elif folder.exists:
        state = "goes on,"
    else:
        state = f"is trained for {config.steps:,} steps,"
    console.say(f"Row {row.name}, seed {seed}: {row.title} {state} in {folder.path}")
    bar = TrainingProgress(
        console,
        training=describe_training(config, None),
        validation=describe_validation(config),
    )
    try:
        train_row(
            row,
            folder,
            seed=seed,
            budget=budget,
            data_dir=data_dir,
            callbacks=[bar],
            plan=plan,
        )
    finally:
        bar.stop()  # Ctrl-C must not leave a terminal without its cursor.
    with progress_bar(console, "evaluating") as report:
        results = measure_row(
            row,
            folder,
            test_episodes=test_episodes,
            data_dir=data_dir,
            on_progress=report,
        )
    for result in results:
        console.show(str(result))


def _show(console: Console, content: dict[str, Any]) -> None:
    """Prints the figures, and which goals they meet."""
    # Without a terminal rich would assume 80 columns and cut the figures.
    wide = console if console.is_terminal else Console(width=200, soft_wrap=False)
    for kind in protocols_in_tables():
        columns = [c for row in content["rows"] for c in row["columns"]]
        goals = [_goal(column) for column in columns if column["kind"] == kind]
        if not goals:
            continue
        shown = Table(
            title=one_line(content["table"]), title_justify="left", box=SIMPLE
        )
        for number, name in enumerate(header(kind)):
            justify: Literal["left", "right"] = "right" if number > 1 else "left"
            shown.add_column(name, no_wrap=True, justify=justify)
        shown.add_column("goal")
        for cells, goal in zip(figure_rows(content, kind), goals, strict=True):
            shown.add_row(*(one_line(cell.replace("**", "")) for cell in cells), goal)
        wide.print(shown)


def _goal(column: dict[str, Any]) -> str:
    if column["goal"] is None:
        return ""
    sign = protocols_in_tables()[column["kind"]].bound
    verdict = {True: ": met", False: ": missed", None: ""}[column["goal_met"]]
    return f"{sign} {column['goal']:g}{verdict}"
