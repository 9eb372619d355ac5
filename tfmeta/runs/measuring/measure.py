"""Measures a learner of a run by a protocol."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tfmeta.runs.measuring.protocol import MeasuringProtocol, PartT, ResultT
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.learners import FewShotLearner


def measure(
    folder: RunFolder,
    learner: FewShotLearner,
    protocol: MeasuringProtocol[PartT, ResultT],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    keep: bool = True,
) -> list[ResultT]:
    """Measures a learner of a run by a protocol; with `keep`, keeps the results.

    Args:
        folder: The run.
        learner: One of its learners.
        protocol: What is drawn, how it is measured, and where it is kept.
        data_dir: Where data sets are kept, `None` for the default.
        on_progress: Called with the work done, and all work, of each result.
        keep: Whether to keep the results in the run folder.

    Raises:
        ValueError: When the data do not allow it, when test classes were seen in
            training or validation, or when the file of the results is damaged.
        FileNotFoundError: When the run does not say which classes were seen.
        FolderInUseError: When the results are to be kept and another process trains
            the run, or writes there for long.

    Example:

    ```python
    folder = RunFolder("runs/glyphs")
    (result,) = measure(folder, load_learner(folder), Standard(ways=(20,)))
    ```
    """
    return [
        measure_part(
            folder,
            learner,
            protocol,
            part,
            data_dir=data_dir,
            on_progress=on_progress,
            keep=keep,
        )
        for drawn in protocol.draw(folder.read_config(), data_dir=data_dir)
        for part in drawn.parts.values()
    ]


def measure_part(
    folder: RunFolder,
    learner: FewShotLearner,
    protocol: MeasuringProtocol[PartT, ResultT],
    part: PartT,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    keep: bool = True,
) -> ResultT:
    """Measures one part of what a protocol has drawn, as `measure` does."""
    if keep:
        # A damaged file, or a training under way, shows before the work is done.
        with folder.only_writer(wait=True):
            protocol.kept_in(folder).check_keepable()
    result = protocol.run(
        folder, learner, part, data_dir=data_dir, on_progress=on_progress
    )
    if keep:
        with folder.only_writer(wait=True):
            protocol.keep(folder, part, result)
            protocol.illustrate(folder, learner, part)
    return result
