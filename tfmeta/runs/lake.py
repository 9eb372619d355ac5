"""Lake's one-shot test of a trained run, and what the run folder keeps of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import numpy as np

from tfmeta.datasets import ClassTable
from tfmeta.datasets.omniglot.lake_runs import LakeRuns, load_lake_runs
from tfmeta.datasets.reading.ground import invert_pictures
from tfmeta.evaluation.lake import LakeResult, evaluate_lake
from tfmeta.learners import FewShotLearner
from tfmeta.runs.data import light_ground
from tfmeta.runs.lake_picture import draw_lake
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

LAKE_FORMAT_VERSION = 1


def evaluate_run_on_lake(
    folder: RunFolder,
    learner: FewShotLearner,
    *,
    trained_on: ClassTable | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    keep: bool = True,
) -> LakeResult:
    """Measures a learner of the run; with `keep`, writes `lake.json` and `lake.png`.

    The pictures come in the size that the learner takes. The data set of the run
    may be another than Omniglot: where `trained_on` shows dark ink on light ground
    all pictures of the test are inverted, and where it holds 16 bits they are
    spread over them.

    Args:
        folder: The run.
        learner: One of its learners.
        trained_on: Classes of the run's data set, of any split. `None` stands for
            uint8 pictures of bright ink on a dark ground, as all grey data sets of
            `tfmeta.datasets.load` are.
        data_dir: Where data sets are kept, `None` for the default.
        on_progress: Called with the number of runs done, and of all.
        keep: Whether to write the result.

    Raises:
        ValueError: When training or validation saw characters of the test, when
            the learner takes no square grey pictures of at most 105x105, or when
            `trained_on` holds neither uint8 nor uint16.
        FileNotFoundError: When the run does not say what it saw, or the
            pictures of the test are not in the data folder.
    """
    shape = tuple(learner.encoder.input_shape[1:])
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 1 or shape[0] is None:
        raise ValueError(
            "Lake's test needs a learner of square grey pictures, such as "
            "`tfmeta train --dataset omniglot --protocol lake` trains. Received: "
            f"{folder.path} with a learner that takes examples of shape {shape}"
        )
    seen = folder.seen_classes()
    runs = load_lake_runs(data_dir=data_dir, size=shape[0])
    shown = runs if trained_on is None else _as_trained(runs, trained_on)
    result = evaluate_lake(learner, shown, seen_classes=seen, on_progress=on_progress)
    if keep:
        _results(folder).keep(result)
        draw_lake(runs, result, folder.lake_picture)
    return result


def _as_trained(runs: LakeRuns, trained_on: ClassTable) -> LakeRuns:
    """Supports and queries as the pictures of training are, both in one way."""
    dtype = trained_on.examples.dtype
    if dtype not in (np.uint8, np.uint16):
        raise ValueError(
            "Lake's test needs a run that was trained on uint8 or uint16 pictures. "
            f"Received: one trained on {dtype} ({trained_on.name!r})"
        )
    scale = np.asarray(np.iinfo(dtype).max // 255, dtype)
    support, query = runs.support * scale, runs.query * scale
    if light_ground(trained_on):
        support, query = invert_pictures(support), invert_pictures(query)
    return dataclasses.replace(runs, support=support, query=query)


def read_lake_result(folder: RunFolder) -> LakeResult | None:
    """The result in the run's `lake.json`, `None` when there is no such file.

    Raises:
        ValueError: When the file is damaged or from a newer version.
    """
    return next(iter(_results(folder).read()), None)


def _results(folder: RunFolder) -> ResultFile[LakeResult]:
    return ResultFile(
        folder.lake_file,
        LakeResult.from_json,
        version=LAKE_FORMAT_VERSION,
        command="tfmeta evaluate --protocol lake",
        single=True,
    )
