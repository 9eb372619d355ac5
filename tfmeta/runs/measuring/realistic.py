"""Usual episodes, episodes of classes alike and of all classes, side by side."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tfmeta.printable import one_line
from tfmeta.runs.config import HeldOutEpisodeConfig, TrainConfig
from tfmeta.runs.measuring.on_episodes import TASKS, AccuracyOnEpisodes
from tfmeta.runs.measuring.protocol import Drawn
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.table import Table

    from tfmeta.episodes import Episodes
    from tfmeta.evaluation import EvaluationResult, RealisticEpisodes

_ROWS: dict[str, Callable[[EvaluationResult], str]] = {
    "ways": lambda result: str(result.protocol["ways"]),
    "accuracy, %": lambda result: f"{100 * result.accuracy:.2f}",
    "95 % over episode draws": lambda r: f"± {100 * r.over_episode_draws:.2f}",
    "95 % over test classes": lambda r: r.over_test_classes.text(),
    "chance, %": lambda result: f"{100 * result.chance:.2f}",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Realistic(AccuracyOnEpisodes):
    """Uniform, same-group and many-way episodes, in one table."""

    name = "realistic"
    asked = "flag"
    help = (
        "One table of usual episodes, of episodes within one group (alphabet, "
        "superclass), and of episodes of all test classes."
    )

    def draw(
        self, config: TrainConfig, *, data_dir: str | os.PathLike[str] | None = None
    ) -> list[Drawn[Episodes]]:
        """The columns of each combination of ways and shots."""
        tables = [
            draw_realistic_episodes(config, task, seed=self.seed, data_dir=data_dir)
            for task in self.tasks(config)
        ]
        return [Drawn(table.columns, notes=table.notes) for table in tables]

    def report(
        self,
        folder: RunFolder,
        drawn: Drawn[Episodes],
        results: Mapping[str, EvaluationResult],
        *,
        kept: bool,
    ) -> Iterator[Any]:
        """One table, a column for each result, and notes below it."""
        yield _side_by_side(results)
        for name, result in results.items():
            reason = result.over_test_classes.reason
            if reason is not None:
                yield f"Note: {name}: no interval over test classes: {reason}"
        for note in drawn.notes:
            yield f"Note: {note}"


def draw_realistic_episodes(
    config: TrainConfig,
    task: HeldOutEpisodeConfig | None = None,
    *,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
) -> RealisticEpisodes:
    """Uniform, same-group and many-way test episodes of a run's data set."""
    from tfmeta.evaluation import realistic_episodes
    from tfmeta.runs.data import load_split

    task = task or config.test
    if config.support != "examples":
        raise ValueError(
            "episodes side by side need a learner that is shown examples of classes. "
            f"Received: {config.learner!r}, which is shown their {config.support}"
        )
    return realistic_episodes(
        load_split(config, "test", data_dir),
        ways=task.ways,
        shots=task.shots,
        queries=task.queries,
        tasks=TASKS,
        seed=seed,
    )


def _side_by_side(results: Mapping[str, EvaluationResult]) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    from tfmeta.evaluation.pretraining import setting

    first = next(iter(results.values()))
    p = first.protocol
    kind = setting(first.transductive, first.pretraining)
    table = Table(
        title=f"{p['shots']}-shot on {one_line(p['table'])}, {p['queries']} queries a "
        f"class, {kind}, {p['episodes']:,} episodes, seed {p['seed']}",
        title_justify="left",
        title_style="",
        box=SIMPLE,
    )
    table.add_column("")
    for name in results:
        table.add_column(name, justify="right", no_wrap=True)
    for row, show in _ROWS.items():
        table.add_row(row, *map(show, results.values()))
    areas = [result.auroc for result in results.values()]
    if any(area is not None for area in areas):
        shown = ("" if area is None else f"{area:.4f}" for area in areas)
        table.add_row("AUROC", *shown)
    return table
