"""A progress bar for work that counts its pieces."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from tfmeta.console import Console
from tfmeta.printable import one_line


@contextmanager
def progress_bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with an estimate of its end; yields `report(done, of_all)`."""
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(one_line(what), total=None)

        def report(done: int, of_all: int) -> None:
            progress.update(task, completed=done, total=of_all)

        yield report


class RepeatedProgress:
    """A bar for each of several pieces of work, shown while there is some left.

    Args:
        console: Where it is shown.
        what: What it says.
    """

    def __init__(self, console: Console, what: str) -> None:
        self._console = console
        self._what = what
        self._shown = contextlib.ExitStack()
        self._report: Callable[[int, int], None] | None = None

    def __call__(self, done: int, of_all: int) -> None:
        """Shows how much is done."""
        if self._report is None and done < of_all:
            bar = progress_bar(self._console, self._what)
            self._report = self._shown.enter_context(bar)
        if self._report is not None:
            self._report(done, of_all)
        if done >= of_all:
            self.stop()

    def stop(self) -> None:
        """Removes the bar; whoever leaves the work by an exception calls it."""
        self._report = None
        self._shown.close()


@contextmanager
def shown_progress(console: Console, what: str) -> Iterator[RepeatedProgress]:
    """Bars of several pieces of work, which are gone after it, however it ends."""
    progress = RepeatedProgress(console, what)
    try:
        yield progress
    finally:
        progress.stop()


@contextmanager
def progress_bars(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each kind of work; yields `report(what, done, of_all)`."""
    bars: dict[str, RepeatedProgress] = {}

    def report(what: str, done: int, of_all: int) -> None:
        if what not in bars:
            bars[what] = RepeatedProgress(console, what.capitalize())
        bars[what](done, of_all)

    try:
        yield report
    finally:
        for bar in bars.values():
            bar.stop()
