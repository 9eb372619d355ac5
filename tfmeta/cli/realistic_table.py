"""Figures of several kinds of test episodes, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tfmeta.evaluation import EvaluationResult


_ROWS: dict[str, Callable[[EvaluationResult], str]] = {
    "ways": lambda result: str(result.protocol["ways"]),
    "accuracy, %": lambda result: f"{100 * result.accuracy:.2f}",
    "95 % over episode draws": lambda r: f"± {100 * r.over_episode_draws:.2f}",
    "95 % over test classes": lambda r: r.over_test_classes.text(),
    "chance, %": lambda result: f"{100 * result.chance:.2f}",
}


def print_side_by_side(
    console: Console, results: Mapping[str, EvaluationResult], notes: Sequence[str]
) -> None:
    """Prints one table, a column for each result, and notes below it."""
    first = next(iter(results.values()))
    p = first.protocol
    kind = "transductive" if first.transductive else "inductive"
    table = Table(
        title=f"{p['shots']}-shot on {p['table']}, {p['queries']} queries a class, "
        f"{kind}, {p['episodes']:,} episodes, seed {p['seed']}",
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
    console.print(table)
    without = {
        name: result.over_test_classes.reason
        for name, result in results.items()
        if result.over_test_classes.reason is not None
    }
    for name, reason in without.items():
        console.print(f"Note: {name}: no interval over test classes: {reason}")
    for note in notes:
        console.print(f"Note: {note}")
