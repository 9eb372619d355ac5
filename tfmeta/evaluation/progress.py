"""Counting the pieces of an evaluation."""

from __future__ import annotations

from collections.abc import Callable


class Progress:
    """Counts pieces of work and reports them.

    Args:
        on_progress: Called with the number of pieces done, and of all; or `None`.
        work: Number of all pieces.
    """

    def __init__(
        self, on_progress: Callable[[int, int], None] | None, work: int
    ) -> None:
        self._on_progress = on_progress
        self._work = work
        self._done = 0

    def step(self) -> None:
        """One more piece is done."""
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._work)
