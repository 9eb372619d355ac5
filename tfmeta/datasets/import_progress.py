"""Counting the pieces of an import that has several parts."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int], None]


class ImportProgress:
    """Counts pieces of work, such as each picture checked, prepared and packed.

    Args:
        on_progress: Called with the pieces done, and of all; or `None`.
        of_all: The number of pieces of all parts together.
        step: After how many pieces it is called again.

    Example:

    ```python
    progress = ImportProgress(print, of_all=2)
    progress.advance()  # 1 2
    progress.advance()  # 2 2
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
