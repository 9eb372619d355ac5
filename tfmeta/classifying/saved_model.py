"""The SavedModel of a run: where it is, what it takes, what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tfmeta.printable import shell_word
from tfmeta.runs.run_folder import RunFolder, read_versioned

# Of `tfmeta.json`; `tfmeta.export` has it too, but imports TensorFlow, and
# pictures are read and checked without.
_NEWEST_DESCRIPTION = 2


class _Example(TypedDict):
    """What one example is."""

    shape: list[int | None]
    dtype: str


class _Tensors(TypedDict, total=False):
    """What a signature takes, by the names of its tensors."""

    inputs: dict[str, _Example]


class _About(TypedDict, total=False):
    """What an export says of the data."""

    light_ground: bool | None


class _DescribedAtLeast(TypedDict):
    example: _Example


class _Described(_DescribedAtLeast, total=False):
    """Of `tfmeta.json`, what is read."""

    learner: str
    description: _About
    signatures: dict[str, _Tensors]


def find_saved_model(path: Path) -> Path:
    """The version folder to use: `path` itself, or a run's newest version.

    Raises:
        FileNotFoundError: When `path` is neither a run with a SavedModel nor a
            version folder that `tfmeta` wrote.
        ValueError: When it is a run of regression.
    """
    if (path / "saved_model.pb").is_file():
        return path
    folder = RunFolder(path)
    if folder.read_config().task == "regression":
        raise ValueError(
            f"{path} must be a run of classification, which has classes. Received: one "
            "of regression; the signature `predict` of its SavedModel predicts"
        )
    newest = newest_version(folder.saved_model)
    if newest is None:
        folder.check_has_learner()
        raise FileNotFoundError(
            f"{folder.saved_model} must hold a SavedModel. Received: none; write one "
            f"with `tfmeta export {shell_word(path)}`"
        )
    return newest


def newest_version(folder: Path) -> Path | None:
    """The version folder with the highest number, `None` where there is none."""
    versions = [
        entry
        for entry in (folder.iterdir() if folder.is_dir() else ())
        if entry.name.isdecimal() and (entry / "saved_model.pb").is_file()
    ]
    return max(versions, key=lambda entry: int(entry.name), default=None)


def read_description(model_folder: Path) -> dict[str, Any]:
    """The `tfmeta.json` of a SavedModel.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is damaged, or from a newer version.
    """
    file = model_folder / "tfmeta.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"{model_folder} must be a SavedModel that tfmeta wrote. Received: a "
            f"folder without {file.name}"
        )
    return read_versioned(file, _NEWEST_DESCRIPTION, ("example",), _Described)


def check_takes_descriptions(model_folder: Path) -> None:
    """Checks that a SavedModel enrols classes by descriptions, not by pictures.

    Raises:
        FileNotFoundError: When it has no `tfmeta.json`.
        ValueError: When it enrols them by examples.
    """
    learner = read_description(model_folder).get("learner")
    if learner != "ZeroShotPrototypicalNetwork":
        raise ValueError(
            f"{model_folder} must be of a ZeroShotPrototypicalNetwork, which knows "
            f"classes by their names, for --classes. Received: one of a {learner}; "
            "give it examples by --support"
        )


def ask_saved_model(
    model_folder: Path,
    support: np.ndarray,
    support_labels: np.ndarray,
    query: np.ndarray,
) -> np.ndarray:
    """Float32 `(queries, ways)`: probabilities, from the SavedModel alone.

    Args:
        model_folder: Its version folder.
        support: `(support, *example)`; an axis of one channel may be there or not.
        support_labels: Int32 `(support,)`.
        query: `(queries, *example)`.

    Raises:
        ValueError: When the SavedModel is damaged or does not classify, or when
            probabilities are not finite; counts the examples.
    """
    (probabilities,) = _ask(
        model_folder, support, support_labels, query, ["probabilities"]
    )
    return probabilities


def ask_for_scores(
    model_folder: Path,
    support: np.ndarray,
    support_labels: np.ndarray,
    query: np.ndarray,
) -> dict[str, np.ndarray]:
    """As `ask_saved_model`: `"logit"` and `"probability"`, each `(queries, ways)`.

    Raises:
        ValueError: As `ask_saved_model`, and when the SavedModel gives no logits, as
            those of before.
    """
    probabilities, logits = _ask(
        model_folder, support, support_labels, query, ["probabilities", "logits"]
    )
    return {"logit": logits, "probability": probabilities}


def _ask(
    model_folder: Path,
    support: np.ndarray,
    support_labels: np.ndarray,
    query: np.ndarray,
    outputs: list[str],
) -> list[np.ndarray]:
    import tensorflow as tf

    from tfmeta.finite_checks import check_finite_weights
    from tfmeta.model_files import load_saved_model, loading

    advice = "write another with `tfmeta export`"
    whole = "a whole SavedModel with a signature `classify`"
    with loading(whole, model_folder, advice):
        loaded = load_saved_model(model_folder)
        classify = loaded.signatures["classify"]
    given = classify.structured_outputs
    if "probabilities" in given and not set(outputs) <= set(given):
        raise ValueError(
            f"{model_folder} must give {' and '.join(outputs)}, for --open-set. "
            f"Received: {', '.join(given)}, as an earlier tfmeta wrote it; export "
            "again with `tfmeta export`"
        )
    check_finite_weights(str(model_folder), classify.variables)
    with loading("one that classifies what its tfmeta.json says", model_folder, advice):
        of_model = classify.structured_input_signature[1]
        answer = classify(
            support_labels=tf.constant(support_labels),
            **{
                name: tf.reshape(examples, [-1, *of_model[name].shape[1:]])
                for name, examples in (("support", support), ("query", query))
            },
        )
        found = [answer[name].numpy() for name in outputs]
    shape = (len(query), int(support_labels.max()) + 1)
    for values in found:
        if values.shape != shape:
            raise ValueError(
                f"{model_folder} must answer with a probability of each class, {shape} "
                f"of them. Received: {values.shape}"
            )
        # The softmax of infinite logits is finite where they are below others.
        check_probabilities(values, str(model_folder))
    return found


def check_probabilities(probabilities: np.ndarray, model: str) -> None:
    """Checks that every example got an answer.

    Args:
        probabilities: Float `(queries, ways)`.
        model: What gave them, for the message.

    Raises:
        ValueError: When some are NaN or infinite; counts the examples.
    """
    wrong = np.count_nonzero(~np.isfinite(probabilities).all(axis=1))
    if wrong:
        raise ValueError(
            f"{model} must answer with finite probabilities. Received: others for "
            f"{wrong} of {len(probabilities)} queries, so none is answered; train "
            "and export again"
        )
