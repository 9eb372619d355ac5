"""Writing the encoder and `classify` for phones and browsers: ONNX and LiteRT."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from tfmeta.export.edge_files import write_edge
from tfmeta.export.edge_functions import EdgeFunction
from tfmeta.export.litert import LiteRTAnswers, Precision, to_litert
from tfmeta.export.onnx_model import ONNXAnswers, to_onnx
from tfmeta.learners.base import FewShotLearner

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# By these ranges activations are quantised; more changes them little.
MOST_REPRESENTATIVE = 500


def save_onnx(
    learner: FewShotLearner,
    path: str | os.PathLike[str],
    *,
    version: int | None = None,
    input_dtype: str | None = None,
    description: Mapping[str, Any] | None = None,
) -> Path:
    """Writes `path/<version>/`, ONNX files that run in browsers and elsewhere.

    | file | takes | gives |
    |---|---|---|
    | `encoder.onnx`, where embeddings do not depend on the task | `examples` `(batch, *example)` | `embeddings` `(batch, *embedding)` |
    | `classify.onnx` | `support` `(support, *example)`, `support_labels` `(support,)` int32, `query` `(queries, *example)` | `probabilities` `(queries, ways)` |
    | `tfmeta.json` | | both, with shapes, dtypes and the range of values |

    Leading dimensions are free and at least 1, the number of ways is the highest label
    + 1. No operation can refuse labels: where they are negative, have a gap or another
    length than the support, all probabilities are NaN. Examples that the encoder would
    bring to one size must have that size.

    What is written was run by onnxruntime before, on tasks of two sizes, and compared
    with the learner; `tfmeta.json` holds the largest differences. A version appears
    whole or not at all, and none is overwritten.

    Args:
        learner: What to export.
        path: Folder of all versions; made when absent.
        version: Number from 1, or `None` for one above the highest there is.
        input_dtype: Dtype of examples; see `tfmeta.export.save`.
        description: What a reader should know of the model; anything that JSON holds.

    Returns:
        `path/<version>`.

    Raises:
        MissingExtraError: When a package of the extra `edge` is not installed.
        ValueError: When the learner, or its encoder, has an operation that ONNX has
            not, such as the gradients of an inner loop and the splitting of texts:
            names them; also when what was converted answers something else.
        TypeError, OSError, FileExistsError: As `tfmeta.export.save`.

    Example:

    ```python
    learner = tfmeta.learners.PrototypicalNetwork(tfmeta.encoders.Conv4())
    folder = tfmeta.export.save_onnx(learner, "models/glyphs-onnx")
    session = onnxruntime.InferenceSession(folder / "encoder.onnx")
    session.run(["embeddings"], {"examples": np.zeros((5, 28, 28, 1), "uint8")})
    ```
    """  # noqa: E501
    return write_edge(
        learner,
        path,
        "onnx",
        "float32",
        {"encoder": to_onnx, "other": to_onnx},
        ONNXAnswers,
        version=version,
        input_dtype=input_dtype,
        description=description,
    )


def save_litert(
    learner: FewShotLearner,
    path: str | os.PathLike[str],
    *,
    precision: Precision = "float32",
    representative: np.ndarray | None = None,
    version: int | None = None,
    input_dtype: str | None = None,
    description: Mapping[str, Any] | None = None,
) -> Path:
    """Writes `path/<version>/`, LiteRT files that run on phones.

    As `save_onnx`, with `encoder.tflite` and `classify.tflite`, each with one signature
    of named tensors: `embed` and `classify`. Sizes are free there, too, and the
    interpreter takes another size from request to request.

    Args:
        learner: What to export.
        path: Folder of all versions; made when absent.
        precision: `"float32"`; `"float16"`, whose weights are stored in half the size
            and computed with in float32; or `"int8"`. Then weights are 8-bit integers
            everywhere, and in `encoder.tflite` activations as well, by their ranges on
            `representative`; `classify.tflite` computes activations in float32, since
            256 levels would not rank distances. Inputs and outputs stay as they are.
        representative: Examples of training classes, `(count, *example)`, as the
            learner takes them; needed for int8 alone, and never of test classes. At
            most 500 are taken, evenly.
        version: Number from 1, or `None` for one above the highest there is.
        input_dtype: Dtype of examples; see `tfmeta.export.save`.
        description: What a reader should know of the model; anything that JSON holds.

    Returns:
        `path/<version>`.

    Raises:
        MissingExtraError: When a package of the extra `edge` is not installed.
        ValueError: As `save_onnx`; also when `precision` is none of these, and when
            `representative` is not there for int8, is there for another precision, or
            has examples of another shape.
        TypeError, OSError, FileExistsError: As `tfmeta.export.save`.

    Example:

    ```python
    folder = tfmeta.export.save_litert(learner, "models/glyphs-litert")
    interpreter = Interpreter(str(folder / "encoder.tflite"))  # of ai_edge_litert
    embed = interpreter.get_signature_runner("embed")
    embed(examples=np.zeros((5, 28, 28, 1), "uint8"))["embeddings"].shape  # (5, 64)
    ```
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {', '.join(PRECISIONS)}. Received: "
            f"precision={precision!r}"
        )
    if (representative is None) == (precision == "int8"):
        received = "none" if representative is None else "some"
        raise ValueError(
            "`representative` must be examples of training classes for "
            "precision='int8', and None else. Received: "
            f"precision={precision!r} and {received}"
        )

    def weights_alone(edge: EdgeFunction) -> bytes:
        return to_litert(edge, precision)

    def calibrated(edge: EdgeFunction) -> bytes:
        return to_litert(edge, precision, _taken(edge, representative))

    return write_edge(
        learner,
        path,
        "litert",
        precision,
        {"encoder": calibrated, "other": weights_alone},
        LiteRTAnswers,
        version=version,
        input_dtype=input_dtype,
        description=description,
        trial=representative,
    )


def _taken(edge: EdgeFunction, given: np.ndarray | None) -> np.ndarray | None:
    """Some of the representative examples, evenly."""
    if given is None:
        return None
    shape = tuple(edge.inputs[0].shape[1:])
    given = np.asarray(given)
    if given.shape[1:] != shape or not len(given):
        raise ValueError(
            f"`representative` must have shape (count, {', '.join(map(str, shape))}), "
            f"with at least one. Received: shape {given.shape}"
        )
    every = np.linspace(0, len(given) - 1, min(len(given), MOST_REPRESENTATIVE))
    return given[np.rint(every).astype(int)]
