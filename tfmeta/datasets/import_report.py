"""What an import tells: how far it is, and in the end what it did."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

OnProgress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Args:
        tables: The folders of the tables that `tfmeta.datasets.load` reads.
        already_there: Whether they were there before, and nothing was written.
        notes: What the user should know, one sentence each; often nothing.
    """

    tables: tuple[Path, ...]
    already_there: bool = False
    notes: tuple[str, ...] = ()


class ImportProgress:
    """Counts the pieces of an import, such as each picture checked and written.

    Args:
        on_progress: Called with the pieces done, and of all; or `None`.
        of_all: The number of pieces of all parts together.
        step: After how many pieces it is called again.

    Example:

    ```python
    progress = ImportProgress(print, of_all=5)
    progress.advance(2)  # 2 5
    write_table(path, layout, items, on_progress=progress.part())  # 3 5, 4 5, 5 5
    ```
    """

    def __init__(
        self, on_progress: OnProgress | None, of_all: int, *, step: int = 1
    ) -> None:
        self._on_progress = on_progress
        self._of_all = of_all
        self._step = step
        self._done = 0
        self._reported = -step

    def advance(self, count: int = 1) -> None:
        """Counts pieces that are done."""
        self._done = min(self._done + count, self._of_all)
        due = self._done - self._reported >= self._step or self._done == self._of_all
        if self._on_progress is not None and due and self._done > self._reported:
            self._reported = self._done
            self._on_progress(self._done, self._of_all)

    def part(self) -> OnProgress:
        """What counts a part that says by itself how much of it is done."""
        before = self._done
        return lambda done, _: self.advance(before + done - self._done)
