"""Lake's one-shot test of a trained run, and what the run folder keeps of it."""

from __future__ import annotations

import os
from collections.abc import Callable

from tfmeta.datasets.omniglot.lake_runs import load_lake_runs
from tfmeta.evaluation.lake import LakeResult, evaluate_lake
from tfmeta.learners import FewShotLearner
from tfmeta.runs.lake_picture import draw_lake
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

LAKE_FORMAT_VERSION = 1


def evaluate_run_on_lake(
    folder: RunFolder,
    learner: FewShotLearner,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    keep: bool = True,
) -> LakeResult:
    """Measures a learner of the run; with `keep`, writes `lake.json` and `lake.png`.

    The pictures come in the size that the learner takes. The data set of the run
    may be another than Omniglot.

    Raises:
        ValueError: When training or validation saw characters of the test, or
            when the learner takes no square grey pictures of at most 105x105.
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
    result = evaluate_lake(learner, runs, seen_classes=seen, on_progress=on_progress)
    if keep:
        _results(folder).keep(result)
        draw_lake(runs, result, folder.lake_picture)
    return result


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
