"""Exports a trained run for phones and browsers."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

import numpy as np

from tfmeta import export
from tfmeta.datasets import ClassTable
from tfmeta.learners import FewShotLearner
from tfmeta.runs.data import kind_of
from tfmeta.runs.run_description import describe_export
from tfmeta.runs.run_folder import RunFolder

Precision = Literal["float32", "float16", "int8"]

# Training examples by which activations are quantised.
_REPRESENTATIVE = 500


def export_run_to_onnx(
    folder: RunFolder,
    learner: FewShotLearner,
    table: ClassTable,
    path: Path | None = None,
) -> Path:
    """Writes the next version of the run's ONNX files.

    Args:
        folder: The run.
        learner: Its trained learner.
        table: Classes of its data set, of any split.
        path: Where to write, by default the run's own `onnx`.

    Returns:
        The version folder.

    Raises:
        FolderInUseError: When another process trains the run, or writes there for long.
        MissingExtraError, OSError, ValueError: As `tfmeta.export.save_onnx`.
    """
    description = describe_export(folder, table)
    with _alone(folder, path):
        return export.save_onnx(
            learner,
            path or folder.path / "onnx",
            input_dtype=_dtype(table),
            description=description,
        )


def export_run_to_litert(
    folder: RunFolder,
    learner: FewShotLearner,
    table: ClassTable,
    path: Path | None = None,
    *,
    precision: Precision = "float32",
) -> Path:
    """Writes the next version of the run's LiteRT files.

    Args:
        folder: The run.
        learner: Its trained learner.
        table: Its training classes; int8 is made by the ranges of values on them.
        path: Where to write, by default the run's own `litert`.
        precision: See `tfmeta.export.save_litert`.

    Returns:
        The version folder.

    Raises:
        FolderInUseError: When another process trains the run, or writes there for long.
        MissingExtraError, OSError, ValueError: As `tfmeta.export.save_litert`.
    """
    description = describe_export(folder, table)
    representative = None
    if precision == "int8":
        count = len(table.examples)
        rows = np.linspace(0, count - 1, min(count, _REPRESENTATIVE))
        representative = np.stack([table.examples[int(row)] for row in np.rint(rows)])
        description["representative"] = f"{len(rows)} training examples"
    with _alone(folder, path):
        return export.save_litert(
            learner,
            path or folder.path / "litert",
            precision=precision,
            representative=representative,
            input_dtype=_dtype(table),
            description=description,
        )


def _alone(
    folder: RunFolder, path: Path | None
) -> contextlib.AbstractContextManager[object]:
    """Waits for others who write into the run's own folder."""
    return folder.only_writer(wait=True) if path is None else contextlib.nullcontext()


def _dtype(table: ClassTable) -> str | None:
    # Pixels of 16 bits must not be taken for ones of 8, nor shares for levels.
    return None if kind_of(table) == "text" else table.examples.dtype.name
