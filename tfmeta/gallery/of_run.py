"""What a gallery takes from a training run."""

from __future__ import annotations

import os
from typing import Any

from tfmeta.classifying.open_set import find_threshold
from tfmeta.classifying.saved_model import find_saved_model, read_description
from tfmeta.evaluation.threshold import Threshold
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

OPEN_SET = "open-set"


def arguments_of_run(
    run: str | os.PathLike[str],
    threshold: str | Threshold | None,
    *,
    ways: int | None = None,
    shots: int | None = None,
) -> dict[str, Any]:
    """Arguments of `Gallery.create`: a run's learner, and what its pictures are like.

    Args:
        run: Its folder, with the SavedModel that `tfmeta train` writes.
        threshold: `"open-set"` for the one that `tfmeta evaluate RUN --open-set`
            fitted on validation episodes, or what `Gallery.create` takes.
        ways: How many classes the gallery will have, about: of several such thresholds
            that of the nearest is taken. By default as the run's test tasks.
        shots: Likewise, examples of each.

    Raises:
        FileNotFoundError: When the run has no learner, no SavedModel, or no threshold.
        ValueError: When a file is damaged.
    """
    folder = RunFolder(run)
    test = folder.read_config().test
    model_folder = find_saved_model(folder.path)
    about = read_description(model_folder)
    if threshold == OPEN_SET:
        threshold = find_threshold(
            folder.path,
            model_folder,
            ways=ways or test.ways,
            shots=shots or test.shots,
        )
    dtype = about["example"]["dtype"]
    return {
        "learner": load_learner(folder),
        "threshold": threshold,
        "light_ground": about.get("description", {}).get("light_ground"),
        "input_dtype": dtype if dtype in ("uint8", "uint16") else None,
    }
