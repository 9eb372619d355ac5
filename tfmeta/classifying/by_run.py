"""Answers of a run's SavedModel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfmeta.classifying.answers import Answers
from tfmeta.classifying.run_pictures import RunPictures
from tfmeta.classifying.saved_model import ask_saved_model, read_description
from tfmeta.classifying.task import Task
from tfmeta.datasets.own.array_files import check_finite_examples


def classify_by_run(model_folder: Path, pictures: RunPictures) -> Answers:
    """Classifies with the SavedModel alone, all queries in one call.

    Args:
        model_folder: Its version folder.
        pictures: The task in its form.

    Raises:
        ValueError: When the SavedModel is damaged or does not classify, or when
            probabilities are not finite; counts the pictures.
    """
    task = pictures.task
    probabilities = ask_saved_model(
        model_folder, pictures.support, task.support_labels, pictures.query
    )
    return Answers(
        names=task.query_names,
        class_names=task.class_names,
        probabilities=probabilities,
        classes=probabilities.argmax(axis=1),
        labels=task.query_labels,
    )


def classify_texts_by_run(model_folder: Path, task: Task[str]) -> Answers:
    """Classifies texts with the SavedModel alone, all queries in one call.

    Args:
        model_folder: Its version folder.
        task: The texts.

    Raises:
        FileNotFoundError: When the SavedModel does not describe itself.
        ValueError: When it takes no texts; and as `classify_by_run`.
    """
    example = read_description(model_folder)["example"]
    if (example["shape"], example["dtype"]) != ([], "string"):
        raise ValueError(
            f"{model_folder} must take texts, as --support holds them. Received: one "
            f"for {example['dtype']} examples of shape {example['shape']}"
        )
    probabilities = ask_saved_model(
        model_folder,
        np.array(task.support, object),
        task.support_labels,
        np.array(task.query, object),
    )
    return Answers(
        names=task.query_names,
        class_names=task.class_names,
        probabilities=probabilities,
        classes=probabilities.argmax(axis=1),
        labels=task.query_labels,
        of="text",
    )


def classify_arrays_by_run(model_folder: Path, task: Task[np.ndarray]) -> Answers:
    """Classifies arrays with the SavedModel alone, all queries in one call.

    Args:
        model_folder: Its version folder.
        task: The arrays.

    Raises:
        FileNotFoundError: When the SavedModel does not describe itself.
        ValueError: When it takes others; and as `classify_by_run`.
    """
    example = read_description(model_folder)["example"]
    wanted, dtype = example["shape"], example["dtype"]
    shape, given = task.support[0].shape, task.support[0].dtype
    fits = len(wanted) == len(shape) and all(
        size in (None, found) for size, found in zip(wanted, shape, strict=True)
    )
    if not fits or dtype == "string" or not np.can_cast(given, dtype, "same_kind"):
        raise ValueError(
            f"{model_folder} must take {given} arrays of shape {shape}, as --support "
            f"holds them. Received: one for {dtype} examples of shape {tuple(wanted)}"
        )
    support, query = (
        _cast(np.stack(part), dtype, model_folder)
        for part in (task.support, task.query)
    )
    probabilities = ask_saved_model(model_folder, support, task.support_labels, query)
    return Answers(
        names=task.query_names,
        class_names=task.class_names,
        probabilities=probabilities,
        classes=probabilities.argmax(axis=1),
        labels=task.query_labels,
        of="array",
    )


def _cast(arrays: np.ndarray, dtype: str, model_folder: Path) -> np.ndarray:
    with np.errstate(over="ignore"):
        cast = arrays.astype(dtype)
    check_finite_examples(cast, f"arrays in {dtype}, which {model_folder} takes,")
    return cast
