"""What `tfmeta reproduce control` does, run by run, and what it prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.reproduction.returns.row import NAME, ReturnsRow, load_returns_rows, select


@dataclasses.dataclass(frozen=True)
class ReturnsJob:
    """What is asked, by the names of the options.

    Attributes:
        output: Folder of the runs and of the table.
        names: Of rows; none for all.
        seeds: Of the trainings.
        budget: Times the epochs of each row.
        readme: A file that the table is put into, too.
    """

    output: Path
    names: Sequence[str]
    seeds: Sequence[int]
    budget: float
    readme: Path | None

    def list(self) -> None:
        """Shows the rows and what they train."""
        console = Console()
        for row in select(load_returns_rows(), self.names):
            config = row.train_config(budget=self.budget)
            console.say(
                f"{row.name}: {row.title}, {row.group}, {config.epochs} epochs of "
                f"{config.steps_per_epoch} steps of {config.train_tasks} tasks"
            )

    def run(self, *, train: bool) -> None:
        """Trains and measures what is not there, and writes the table after each.

        Raises:
            ValueError: When there is no such row, or a file of results is damaged.
            OSError: When something cannot be written.
        """
        rows = load_returns_rows()
        chosen = select(rows, self.names)
        start_tensorflow("control")
        from tfmeta.reproduction.readme import check_readme

        console = Console()
        if self.readme is not None:
            check_readme(self.readme, NAME)
        for row in chosen if train else ():
            for seed in self.seeds:
                self._train(console, row, seed)
                self._write(rows)
        for path in self._write(rows):
            console.say(f"written to {path}")

    def put(self, result: Path) -> None:
        """Puts the table of a JSON file into the file that is asked for.

        Raises:
            ValueError: When it holds something else.
        """
        from tfmeta.reproduction.readme import put_into_readme
        from tfmeta.reproduction.returns.table import markdown, read_table

        assert self.readme is not None
        content = read_table(result)
        if content is None or content["table"] != NAME:
            raise ValueError(f"{result} must hold table {NAME!r}. Received: another")
        text = markdown(content, load_returns_rows())
        put_into_readme(self.readme, NAME, text)
        Console().say(f"written to {self.readme}")

    def _train(self, console: Console, row: ReturnsRow, seed: int) -> None:
        from tfmeta.cli.control_job import train_and_measure_policy
        from tfmeta.reproduction.measure import check_config
        from tfmeta.runs.run_folder import RunFolder

        folder = RunFolder(self.output / row.folder_name(seed=seed))
        config = row.train_config(seed=seed, budget=self.budget)
        check_config(folder, config)
        console.say(f"Row {row.name}, seed {seed}: {row.title}, {row.group}")
        if folder.is_trained and folder.metrics_file.exists():
            console.say(f"It is there already, in {folder.path}")
            return
        with folder.only_writer():
            train_and_measure_policy(console, config, folder, resume=folder.exists)

    def _write(self, rows: Sequence[ReturnsRow]) -> tuple[Path, Path]:
        from tfmeta.reproduction.readme import put_into_readme
        from tfmeta.reproduction.returns.table import (
            collect,
            markdown,
            read_table,
            write_table,
        )

        content = collect(
            rows,
            self.output,
            seeds=self.seeds,
            budget=self.budget,
            earlier=read_table(self.output / f"{NAME}.json"),
            command=f"tfmeta reproduce {NAME} --seeds {len(self.seeds)}",
        )
        if self.readme is not None:
            put_into_readme(self.readme, NAME, markdown(content, rows))
        return write_table(content, rows, self.output)
