"""What data hold, as the terminal shows it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from tfmeta.console import Console
from tfmeta.datasets.describe import TASKS, Description, SplitTasks
from tfmeta.datasets.duplicates import MOST_NAMED, Duplicates
from tfmeta.printable import one_line

_MOST_FORMS = 3


def print_description(console: Console, facts: Description) -> None:
    """Prints the facts, the tasks that the data allow, and what is wrong."""
    overview = Table.grid(padding=(0, 2))
    overview.add_column()
    overview.add_column(overflow="fold")
    for what, value in _overview(facts):
        # Text, because names may hold what Rich takes for markup.
        overview.add_row(what, Text(one_line(value)))
    name = Text(one_line(facts.name), style="bold")
    console.print(name, Text(one_line(facts.source)), sep="  ")
    console.print(overview)
    console.print(_tasks(facts))
    console.say(*_warnings(facts))


def print_split_tasks(console: Console, splits: Sequence[SplitTasks]) -> None:
    """Prints which tasks each split allows, of all its classes."""
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        title="largest ways in each split of `tfmeta train`, by shots + queries",
        title_justify="left",
        title_style="",
    )
    table.add_column("split")
    table.add_column("classes", justify="right")
    for shots, queries in TASKS:
        table.add_column(f"{shots} + {queries}", justify="right")
    table.add_column("smallest class", overflow="fold")
    for found in splits:
        name, size = found.smallest
        ways = [f"{count:,}" if count else "none" for count in found.ways]
        smallest = Text(one_line(f"{size:,} ({name})"))
        table.add_row(
            Text(one_line(found.split)), f"{found.classes:,}", *ways, smallest
        )
    console.print(table)


def _overview(facts: Description) -> list[tuple[str, str]]:
    names, sizes = facts.class_names, facts.class_sizes
    classes = f"{len(names):,}"
    if facts.num_origins < len(names):
        classes += f", {facts.num_origins:,} without their rotations"
    rows = [("classes", classes), ("examples", f"{sum(sizes):,}")]
    least, most = min(sizes), max(sizes)
    spread = f"{least:,} each"
    if least != most:
        spread = (
            f"smallest {least:,} ({names[sizes.index(least)]}), median "
            f"{statistics.median(sizes):,g}, largest {most:,} "
            f"({names[sizes.index(most)]})"
        )
    rows.append(("per class", spread))
    if facts.group_sizes is not None:
        groups = list(facts.group_sizes.values())
        rows.append(
            (
                f"{facts.group_level}s",
                f"{len(groups):,}, of {_range(groups)} classes",
            )
        )
    shown = [f"{form} ({count:,})" for form, count in facts.forms[:_MOST_FORMS]]
    if len(facts.forms) == 1:
        shown = [facts.forms[0][0]]
    further = facts.forms[_MOST_FORMS:]
    if further:
        count = sum(n for _, n in further)
        shown.append(f"and {len(further):,} further kinds ({count:,})")
    rows.append(("stored as", ", ".join(shown)))
    if facts.shorter_sides is not None and further:
        rows.append(("shorter side", f"{_range(facts.shorter_sides)} pixels"))
    return rows


def _tasks(facts: Description) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("shots", "queries", "largest ways"):
        table.add_column(title, justify="right")
    table.add_column("limited by")
    for limit in facts.tasks:
        needed = limit.shots + limit.queries
        reason = "the number of classes"
        if limit.left_out:
            reason = (
                f"{_count(limit.left_out, 'class has', 'classes have')} fewer than "
                f"{needed} examples"
            )
        ways = f"{limit.ways:,}" if limit.ways > 1 else "none"
        table.add_row(str(limit.shots), str(limit.queries), ways, reason)
    return table


def _warnings(facts: Description) -> list[str]:
    lines = []
    for found, where, what in (
        (facts.across, "in different classes", "one of the two has a wrong label"),
        (facts.within, "within a class", "a query may be its own support example"),
    ):
        lines += _duplicates(found, where, what)
    if facts.not_finite:
        named = ", ".join(facts.not_finite[:MOST_NAMED])
        more = " ..." if len(facts.not_finite) > MOST_NAMED else ""
        count = _count(len(facts.not_finite), "example holds", "examples hold")
        lines.append(f"Warning: {count} NaN or infinity: {named}{more}")
    return lines or ["No equal examples."]


def _duplicates(found: Duplicates, where: str, what: str) -> list[str]:
    if not found.pairs:
        return []
    count = _count(found.pairs, "pair", "pairs")
    lines = [f"Warning: {count} of equal examples {where}: {what}"]
    lines += [f"  {a} = {b}" for a, b in found.named]
    if found.pairs > len(found.named):
        lines.append(f"  and {found.pairs - len(found.named):,} more")
    return lines


def _range(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
