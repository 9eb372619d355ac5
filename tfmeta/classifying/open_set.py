"""Classifying pictures of which some may be of no class of the support."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import numpy as np

from tfmeta.classifying.answers import Answers
from tfmeta.classifying.run_pictures import RunPictures
from tfmeta.classifying.saved_model import ask_for_scores, read_description
from tfmeta.classifying.task import UNKNOWN
from tfmeta.evaluation.kept import KeptThreshold
from tfmeta.evaluation.threshold import Threshold, nearest_threshold
from tfmeta.json_types import check_type
from tfmeta.printable import shell_word
from tfmeta.runs.measuring.open_set import read_thresholds
from tfmeta.runs.run_folder import RunFolder


class _Described(TypedDict, total=False):
    """Of `tfmeta.json`, what is read; exports of before are without."""

    open_set_thresholds: list[KeptThreshold]


def classify_open_set(path: Path, model_folder: Path, pictures: RunPictures) -> Answers:
    """Classifies with a SavedModel alone, by a threshold that was kept.

    Args:
        path: The run, whose thresholds go before those of its SavedModel, or the
            version folder itself.
        model_folder: The version folder.
        pictures: The task.

    Returns:
        The answers, with "none of these" among them; a warning where the threshold
        is of other tasks.

    Raises:
        FileNotFoundError: When there is no threshold.
        ValueError: When a file is damaged, the SavedModel is of an earlier tfmeta, or
            an answer is not finite; counts them.
    """
    task = pictures.task
    ways = len(task.class_names)
    shots = int(np.bincount(task.support_labels).min())
    threshold = find_threshold(path, model_folder, ways=ways, shots=shots)
    scores = ask_for_scores(
        model_folder, pictures.support, task.support_labels, pictures.query
    )
    accepted = threshold.accepts(scores[threshold.score].max(axis=1))
    p, warnings = threshold.protocol, []
    if (p["ways"], p["shots"]) != (ways, shots):
        warnings.append(
            f"the threshold was fitted on {p['ways']}-way {p['shots']}-shot episodes, "
            f"and this task has {ways} classes with {shots} shots: fit another with "
            f"{_how_to_fit(path, model_folder, ways, shots)}"
        )
    return Answers(
        names=task.query_names,
        class_names=task.class_names,
        probabilities=scores["probability"],
        classes=np.where(accepted, scores["logit"].argmax(axis=1), UNKNOWN),
        labels=task.query_labels,
        open_set=True,
        warnings=tuple(warnings),
    )


def find_threshold(
    path: Path, model_folder: Path, *, ways: int, shots: int
) -> Threshold:
    """The threshold that was fitted on the episodes most like a task.

    Args:
        path: The run, whose thresholds go before those of its SavedModel, since it may
            have been evaluated after the export; or the version folder itself.
        model_folder: The version folder.
        ways: Classes of the task.
        shots: The fewest examples of one of its classes.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When a file is damaged or from a newer version.
    """
    thresholds, place = [], model_folder / "tfmeta.json"
    if path != model_folder:
        thresholds, place = read_thresholds(RunFolder(path)), path
    thresholds = thresholds or exported_thresholds(model_folder)
    if not thresholds:
        raise FileNotFoundError(
            f"{place} must hold a threshold. Received: none; fit one with "
            f"{_how_to_fit(path, model_folder, ways, shots)}"
        )
    return nearest_threshold(thresholds, ways=ways, shots=shots)


def exported_thresholds(model_folder: Path) -> list[Threshold]:
    """The thresholds in the `tfmeta.json` of a version folder, none in most.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is damaged or from a newer version.
    """
    file = model_folder / "tfmeta.json"
    described = check_type(read_description(model_folder), _Described, file)
    try:
        kept = described.get("open_set_thresholds", [])
        return [Threshold.from_json(values) for values in kept]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`open_set_thresholds` in {file} must be as `tfmeta export` writes them. "
            f"Received: others ({error}); export again"
        ) from error


def _how_to_fit(path: Path, model_folder: Path, ways: int, shots: int) -> str:
    alone = path == model_folder
    run = "RUN" if alone else shell_word(path)
    then = ", and export it again with `tfmeta export RUN`" if alone else ""
    return f"`tfmeta evaluate {run} --open-set --ways {ways} --shots {shots}`{then}"
