"""Answers of a run that knows classes by their names alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.answers import Answers
from tfmeta.classifying.run_pictures import RunPictures
from tfmeta.classifying.saved_model import ask_saved_model, read_description

Embed = Callable[[Sequence[str]], np.ndarray]


def classify_by_class_names(
    model_folder: Path, pictures: RunPictures, embed: Embed
) -> Answers:
    """Classifies pictures by the SavedModel of a `ZeroShotPrototypicalNetwork`.

    Its support are descriptions of classes: here their names, as texts where it
    takes texts, else as vectors of a text encoder.

    Args:
        model_folder: Its version folder.
        pictures: The queries; they have no support.
        embed: From texts to vectors `(texts, features)`.

    Raises:
        ValueError: When the SavedModel takes no descriptions of this kind, or when
            it is damaged or its answers are not finite.
    """
    task = pictures.task
    names = [name.replace("_", " ") for name in task.class_names]
    shape, dtype = _support_of(model_folder)
    if dtype == "string" and not shape:
        support = np.array(names, object)
    else:
        support = embed(names)
        if tuple(shape) != support.shape[1:] or dtype != "float32":
            raise ValueError(
                f"{model_folder} must take the names of classes as texts, or as "
                f"float32 vectors of {support.shape[1]} numbers. Received: one for "
                f"{dtype} descriptions of shape {tuple(shape)}"
            )
    labels = np.arange(len(names), dtype=np.int32)
    probabilities = ask_saved_model(model_folder, support, labels, pictures.query)
    return Answers(
        names=task.query_names,
        class_names=task.class_names,
        probabilities=probabilities,
        classes=probabilities.argmax(axis=1),
        labels=task.query_labels,
    )


def _support_of(model_folder: Path) -> tuple[list[int | None], str]:
    """Shape and dtype of one row of the support."""
    signatures = read_description(model_folder).get("signatures", {})
    support = signatures.get("classify", {}).get("inputs", {}).get("support", {})
    return support.get("shape", [None])[1:], support.get("dtype", "none")
