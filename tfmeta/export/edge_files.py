"""Files of an encoder and of `classify` in a format, tried before they are there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfmeta._version import __version__
from tfmeta.export.description import checked_description
from tfmeta.export.edge_functions import EdgeFunction, edge_functions, fixed_examples
from tfmeta.export.edge_trial import largest_differences
from tfmeta.export.litert import Precision
from tfmeta.export.unconvertible import UnconvertibleError
from tfmeta.export.version_folder import check_version, list_versions, write_version
from tfmeta.finite_checks import check_finite_weights
from tfmeta.json_files import json_text
from tfmeta.learners.base import FewShotLearner
from tfmeta.signatures.example_spec import ExampleSpec

FORMAT_VERSION = 1
DESCRIPTION_FILE = "tfmeta.json"

Form = Literal["onnx", "litert"]
Convert = Callable[[EdgeFunction], bytes]
Open = Callable[[bytes], Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]]

_NAMES: dict[Form, str] = {"onnx": "ONNX", "litert": "LiteRT"}
_SUFFIXES: dict[Form, str] = {"onnx": "onnx", "litert": "tflite"}


def write_edge(
    learner: FewShotLearner,
    path: str | os.PathLike[str],
    form: Form,
    precision: Precision,
    convert: Mapping[str, Convert],
    answers: Open,
    *,
    version: int | None,
    input_dtype: str | None,
    description: Mapping[str, Any] | None,
    trial: np.ndarray | None = None,
) -> Path:
    """Writes the next version of what a learner does, in a format.

    Args:
        learner: What to export.
        path: Folder of all versions.
        form: Of the files.
        precision: Of the weights.
        convert: Makes the content of the file of the encoder, and of others.
        answers: Answers requests by such a content.
        version: Number from 1, or `None` for one above the highest there is.
        input_dtype: Dtype of examples.
        description: What a reader should know of the model.
        trial: Examples to try it on, `None` for random ones.

    Returns:
        `path/<version>`.

    Raises:
        ValueError: When `path` holds SavedModels, something has no operation in that
            format, or what was converted answers something else.
        TypeError, OSError, FileExistsError: As `tfmeta.export.save`.
    """
    if not isinstance(learner, FewShotLearner):
        raise TypeError(
            "`learner` must be a tfmeta.learners.FewShotLearner. Received: "
            f"{type(learner).__name__}"
        )
    check_version(version)
    check_finite_weights("`learner`", learner.variables)
    described = checked_description(description)
    path = Path(path)
    served = [v for v in list_versions(path) if (path / f"{v}/saved_model.pb").exists()]
    if served:
        raise ValueError(
            "`path` must be another folder than that of SavedModels, of which servers "
            f"load the newest version. Received: {path}, where {served[-1]} is one"
        )
    examples = learner.example_spec(input_dtype)
    _refuse_texts(learner, examples, form)
    examples = fixed_examples(learner.encoder, examples)

    def write(folder: Path) -> None:
        functions: dict[str, Any] = {}
        for edge in edge_functions(learner, examples):
            of = convert.get(edge.file, convert["other"])
            try:
                content = of(edge)
                found = largest_differences(edge, answers(content), precision, trial)
            except UnconvertibleError as error:
                raise ValueError(_why_not(learner, edge, form, error)) from error
            name = f"{edge.file}.{_SUFFIXES[form]}"
            (folder / name).write_bytes(content)
            functions[edge.name] = {
                "file": name,
                "inputs": {spec.name: _tensor(spec) for spec in edge.inputs},
                "outputs": {
                    output: {**_tensor(spec), "dtype": "float32"}
                    for output, spec in edge.traced().structured_outputs.items()
                },
                "largest_difference": found,
            }
        about = {
            "format_version": FORMAT_VERSION,
            "format": form,
            "precision": precision,
            "learner": type(learner).__name__,
            "encoder": None if learner.encoder is None else learner.encoder.name,
            "transductive": learner.transductive,
            "pretraining_data": learner.pretraining_data,
            "example": {
                "shape": list(examples.shape),
                "dtype": examples.dtype.name,
                "value_range": examples.value_range,
            },
            "functions": functions,
            "versions": {
                "tfmeta": __version__,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
            },
            "description": described,
        }
        text = json_text(about, DESCRIPTION_FILE, indent=2)
        (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")

    return write_version(path, version, write)


def _refuse_texts(learner: FewShotLearner, examples: ExampleSpec, form: Form) -> None:
    specs = (examples, learner.support_spec(examples))
    if any(spec.dtype == tf.string for spec in specs):
        raise ValueError(
            f"`learner` must take numbers to be written as {_NAMES[form]}, which does "
            "not split texts into words or tokens. Received: a "
            f"{type(learner).__name__} that takes texts; write a SavedModel, which "
            "holds its vocabulary"
        )


def _why_not(
    learner: FewShotLearner, edge: EdgeFunction, form: Form, error: UnconvertibleError
) -> str:
    needs = f"needs {', '.join(error.operations[:8])}"
    if not error.operations:
        needs = f"does not run: {error.reason}"
    inner = ""
    if not learner.independent_embeddings:
        inner = " It adapts within the request, by gradients, as a rule."
    return (
        "`learner` must be made of operations that convert to "
        f"{_NAMES[form]}. Received: a {type(learner).__name__}, whose {edge.name!r} "
        f"{needs}.{inner} Write a SavedModel, which holds all of it"
    )


def _tensor(spec: tf.TensorSpec) -> dict[str, Any]:
    return {"shape": spec.shape.as_list(), "dtype": spec.dtype.name}
