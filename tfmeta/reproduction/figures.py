"""The figure of a column, as a run folder keeps it."""

from __future__ import annotations

from typing import Any

from tfmeta.reproduction.row import Column
from tfmeta.runs.run_folder import RunFolder


def find_figure(
    column: Column, folder: RunFolder, *, test_episodes: int
) -> dict[str, Any] | None:
    """The figure of a column, as the run folder keeps it; `None` without one.

    Returns:
        Plain values, as `InTables.figure` says.
    """
    protocol = column.measured_by(test_episodes=test_episodes)
    result = protocol.find(folder)
    return None if result is None else protocol.figure(result)
