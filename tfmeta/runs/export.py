"""Exports a trained run as a SavedModel that says what it was trained on."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tfmeta import export
from tfmeta.datasets import ClassTable
from tfmeta.datasets.task_table import TaskTable
from tfmeta.evaluation import Threshold
from tfmeta.learners import FewShotLearner
from tfmeta.runs.data import kind_of
from tfmeta.runs.measuring.open_set import read_thresholds
from tfmeta.runs.regression.description import describe_regression
from tfmeta.runs.run_description import describe_export
from tfmeta.runs.run_folder import RunFolder


def export_run(
    folder: RunFolder,
    learner: FewShotLearner,
    table: ClassTable | TaskTable,
    path: Path | None = None,
) -> Path:
    """Writes the next version of the run's SavedModel.

    Its `tfmeta.json` and `MODEL_CARD.md` say what the run was trained on, how, and
    which figures its result files hold by now.

    Args:
        folder: The run.
        learner: Its trained learner.
        table: Classes of its data set, of any split: they say what kind of
            pictures the encoder knows. Of regression tasks of any split.
        path: Where to write, by default the run's own `saved_model`.

    Returns:
        The version folder. Its model takes pictures of the dtype that it was
        trained on, and its `tfmeta.json` has the run's thresholds for unknown classes.

    Raises:
        FolderInUseError: When another process trains the run, or writes there for long.
        OSError: When it cannot be written, as on a full disk; names the version.
        ValueError: When a file with results is damaged.
    """
    thresholds: list[Threshold] = []
    dtype = None
    if isinstance(table, TaskTable):
        description = describe_regression(folder, table)
    else:
        description = describe_export(folder, table)
        thresholds = read_thresholds(folder)
        if kind_of(table) != "text":
            # Pixels of 16 bits must not be taken for ones of 8, nor shares for levels.
            dtype = table.examples.dtype.name
    # Others that write versions there wait for each other.
    owned = folder.only_writer(wait=True) if path is None else contextlib.nullcontext()
    with owned:
        return export.save(
            learner,
            path or folder.saved_model,
            input_dtype=dtype,
            description=description,
            open_set_thresholds=thresholds,
        )
