"""Writing a learner as a SavedModel that needs TensorFlow alone."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfmeta._version import __version__
from tfmeta.export.description import checked_description
from tfmeta.export.trial import check_answers
from tfmeta.export.version_folder import write_version
from tfmeta.finite_checks import check_finite_weights
from tfmeta.json_files import json_text
from tfmeta.learners.base import FewShotLearner
from tfmeta.signatures.example_spec import ExampleSpec

FORMAT_VERSION = 1
DESCRIPTION_FILE = "tfmeta.json"


def save(
    learner: FewShotLearner,
    path: str | os.PathLike[str],
    *,
    version: int | None = None,
    input_dtype: str | None = None,
    description: Mapping[str, Any] | None = None,
) -> Path:
    """Writes `path/<version>/`, a SavedModel that needs TensorFlow alone.

    The folder can be handed to a model server as it is. It appears by a single
    rename, so that a server that polls `path` never sees a part of it, and no
    version is overwritten.

    The signatures are those of `learner.endpoints`, with the names of their tensors:

    | signature | takes | gives |
    |---|---|---|
    | `embed`, also `serving_default` | `examples` `(batch, *example)` | `embeddings` `(batch, *embedding)` |
    | `embed_float` | the same as float32, in the same range of values | the same |
    | `classify` | `support` `(support, *example)`, `support_labels` `(support,)` int32, `query` `(queries, *example)` | `probabilities` `(queries, ways)` |
    | `adapt`, of learners with an inner loop | `support`, `support_labels` | the adapted state, a named tensor for each part |
    | `classify_adapted`, of the same | such a state, `query` | `probabilities` |
    | `embed_encoded`, `classify_encoded` | as `embed` and `classify`, pictures as files: BMP, GIF, JPEG or PNG, strings of bytes `(batch,)`, `(support,)`, `(queries,)` | the same |
    | `classify_with_prior`, of heads on a frozen encoder | `support`, which may be empty, `support_labels`, `prior` `(ways, *example)`, `query` | `probabilities` |
    | `classify_with_unlabelled` | as `classify`, and `unlabelled` `(unlabelled, *example)` | the same |

    All leading dimensions are free; `batch` and `queries` may be 0. The number
    of ways is the highest label + 1. Outputs are float32 (float64 for a learner
    that computes in float64), whatever its mixed precision. Only a learner with
    `independent_embeddings` has `embed` and `embed_float`, and those of files where
    it takes pictures of bytes (they are decoded and resized in the graph, but not
    turned by their EXIF orientation); for others `classify` is
    the default, with the learner's inner loop in its graph. Only a learner that uses
    unlabelled examples has `classify_with_unlabelled`, and `support` of a
    `ZeroShotPrototypicalNetwork` holds descriptions of classes.

    `classify` raises `InvalidArgumentError` for an empty support, labels of
    another length than the support, a negative label, and labels with a gap
    (`[0, 1, 3]`). A tensor of another dtype or shape than the signature's is
    refused as well: this is why there is one `embed` for each dtype.

    Beside `saved_model.pb` lies `tfmeta.json`: the learner, its encoder, the
    examples it takes, the shape of its embeddings, every signature with shapes
    (`null` for a free size) and dtypes, whether the learner is transductive, what
    its encoder was pre-trained on (`null` for nothing), the versions of tfmeta, Keras
    and TensorFlow, and the `description`.

    Args:
        learner: What to export. Its encoder, if it has one, must be a functional or
            sequential `keras.Model` with one input.
        path: Folder of all versions of this model, named as the model is to be
            called by servers; made when absent.
        version: Number from 1, or `None` for one above the highest there is.
        input_dtype: Dtype of `examples`, `support` and `query`. `None` is
            `"uint8"` when the encoder takes examples of rank 3 (pictures) and
            holds a `keras.layers.Rescaling` or `keras.layers.Normalization`, or a layer
            that declares `takes_raw_pixels = True`, or of
            rank 2 (grey pictures without an axis of channels) and holds a
            `Rescaling` by 1/255 or 1/127.5, that is, when it expects raw pixels;
            else it is the dtype of the encoder's input. `embed_float` exists when this is an integer dtype
            and the encoder's input is floating-point.
        description: What a reader should know of the model, such as training
            data, protocol and accuracy; anything that JSON holds.

    Returns:
        `path/<version>`.

    Raises:
        FileExistsError: When the version exists; it is left as it is.
        TypeError: When `learner` is no `FewShotLearner`, `version` no integer,
            `input_dtype` no dtype, or `description` nothing that JSON holds.
        OSError: When it cannot be written, as on a full disk; names the version.
        ValueError: When `version` is below 1, the encoder does not have one
            input, or it cannot take `input_dtype` without loss; when weights are NaN
            or infinite, or what a signature answers to trial examples is.

    Example:

    ```python
    learner = tfmeta.learners.PrototypicalNetwork(tfmeta.encoders.Conv4())
    folder = tfmeta.export.save(learner, "models/glyphs")  # models/glyphs/1
    embed = tf.saved_model.load(folder).signatures["embed"]
    embed(examples=tf.zeros((5, 28, 28, 1), tf.uint8))["embeddings"].shape  # (5, 64)
    ```
    """  # noqa: E501
    if not isinstance(learner, FewShotLearner):
        raise TypeError(
            "`learner` must be a tfmeta.learners.FewShotLearner. Received: "
            f"{type(learner).__name__}"
        )
    check_finite_weights("`learner`", learner.variables)
    described = checked_description(description)
    examples = learner.example_spec(input_dtype)

    def write(folder: Path) -> None:
        signatures = _write_archive(learner, examples, folder)
        content = _describe(learner, examples, signatures, described)
        text = json_text(content, DESCRIPTION_FILE, indent=2)
        (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")

    return write_version(Path(path), version, write)


def _write_archive(
    learner: FewShotLearner, examples: ExampleSpec, folder: Path
) -> dict[str, Any]:
    """Writes the SavedModel; returns its signatures, the default one first."""
    archive = keras.export.ExportArchive()
    # Its variables are found by the functions that use them; lookup tables are not.
    archive.track(learner)
    signatures = {}
    for endpoint in learner.endpoints(examples):
        function = archive.add_endpoint(
            endpoint.name, endpoint.function, input_signature=list(endpoint.inputs)
        )
        check_answers(endpoint, function)
        outputs = function.get_concrete_function().structured_outputs
        signatures[endpoint.name] = {
            "inputs": {spec.name: _tensor(spec) for spec in endpoint.inputs},
            "outputs": {name: _tensor(spec) for name, spec in outputs.items()},
        }
    try:
        with _quiet_tensorflow():
            archive.write_out(folder, verbose=False)
    except tf.errors.OpError as error:  # Of a disk without room, for one.
        raise OSError(f"TensorFlow: {error.message}") from error
    return signatures


def _describe(
    learner: FewShotLearner,
    examples: ExampleSpec,
    signatures: dict[str, Any],
    description: dict[str, Any],
) -> dict[str, Any]:
    encoder = learner.encoder
    embeds = learner.independent_embeddings
    return {
        "format_version": FORMAT_VERSION,
        "learner": type(learner).__name__,
        "encoder": None if encoder is None else encoder.name,
        "transductive": learner.transductive,
        "pretraining_data": learner.pretraining_data,
        "example": {
            "shape": list(examples.shape),
            "dtype": examples.dtype.name,
            "value_range": examples.value_range,
        },
        "embedding_shape": list(encoder.output_shape[1:]) if embeds else None,
        "default_signature": next(iter(signatures)),
        "signatures": signatures,
        "versions": {
            "tfmeta": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
        "description": description,
    }


def _tensor(spec: tf.TensorSpec) -> dict[str, Any]:
    return {"shape": spec.shape.as_list(), "dtype": spec.dtype.name}


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Keeps TensorFlow from announcing the hidden folder as the result."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)
