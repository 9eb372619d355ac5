"""Writing a learner as a SavedModel that needs TensorFlow alone."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfmeta._version import __version__
from tfmeta.evaluation.threshold import Threshold
from tfmeta.export.description import checked_description
from tfmeta.export.model_card import MODEL_CARD_FILE, model_card
from tfmeta.export.one_task import keep_apart
from tfmeta.export.trial import Trials, check_batchable
from tfmeta.export.version_folder import write_version
from tfmeta.export.warmup import to_warm_up, with_default, write_warmup
from tfmeta.finite_checks import check_finite_weights
from tfmeta.json_files import json_text
from tfmeta.learners.base import FewShotLearner
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec
from tfmeta.signatures.label_checks import MOST_WAYS

# 2 has `batchable`, `most_ways` and `open_set_thresholds`.
FORMAT_VERSION = 2
DESCRIPTION_FILE = "tfmeta.json"


def save(
    learner: FewShotLearner,
    path: str | os.PathLike[str],
    *,
    version: int | None = None,
    input_dtype: str | None = None,
    description: Mapping[str, Any] | None = None,
    open_set_thresholds: Sequence[Threshold] = (),
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
    | `classify` | `support` `(support, *example)`, `support_labels` `(support,)` int32, `query` `(queries, *example)` | `probabilities` and `logits` `(queries, ways)`, `ways` `()` int32 |
    | `adapt`, of learners with an inner loop or a memory | `support`, `support_labels` | the adapted state, a named tensor for each part |
    | `classify_adapted`, of the same | such a state, `query` | as `classify` |
    | `begin`, of learners with a memory | nothing | a state in which nothing was read |
    | `observe`, of the same | a state, `support`, `support_labels`, of which some may be left out | the state after these |
    | `embed_encoded`, `classify_encoded`, `adapt_encoded`, `classify_adapted_encoded`, `observe_encoded` | the same, pictures as files: BMP, GIF, JPEG or PNG, strings of bytes `(batch,)`, `(support,)`, `(queries,)` | the same |
    | `classify_with_prior`, of heads on a frozen encoder | `support`, which may be empty, `support_labels`, `prior` `(ways, *example)`, `query` | as `classify` |
    | `classify_with_unlabelled` | as `classify`, and `unlabelled` `(unlabelled, *example)` | the same |

    All leading dimensions are free; `batch` and `queries` may be 0. The number
    of ways is the highest label + 1, at most 4,096. Outputs are float32 (float64 for a
    learner that computes in float64), whatever its mixed precision; a logit is `-inf`
    for a way of a fixed head that the support has no example of. Only a learner with
    `independent_embeddings` has `embed`, `embed_float` and `embed_encoded`; for
    others `classify` is the default, with the learner's inner loop in its graph.
    Signatures of files are those of learners that take pictures of bytes (they are
    decoded and resized in the graph, but not turned by their EXIF orientation). For
    regression `predict` stands for `classify`, with `predictions` `(queries, outputs)`
    and `outputs` `()` int32. Only a learner that uses
    unlabelled examples has `classify_with_unlabelled`, and `support` of a
    `ZeroShotPrototypicalNetwork` holds descriptions of classes.

    `classify` raises `InvalidArgumentError` for an empty support, labels of
    another length than the support, a negative label, one above the most ways, and
    labels with a gap (`[0, 1, 3]`). A tensor of another dtype or shape than the signature's is
    refused as well: this is why there is one `embed` for each dtype.

    Only the signatures that embed are batchable: a server may join requests of several
    clients, and each gets the answer it would get alone. The rows of all others are one
    task. They have a scalar input `one_task` besides, with a default, which functions
    in Python are without: TensorFlow Serving never joins requests that hold one.

    Beside `saved_model.pb` lies `tfmeta.json`: the learner, its encoder, the
    examples it takes, the shape of its embeddings, every signature with shapes
    (`null` for a free size) and dtypes and whether it is batchable, the most ways of a
    task (`null` for regression), thresholds for unknown classes, whether the learner is transductive, what
    its encoder was pre-trained on (`null` for nothing), the versions of tfmeta, Keras
    and TensorFlow, and the `description`. `MODEL_CARD.md` is written from it, for
    people: what is known of the model, and what is not.

    `assets.extra/tf_serving_warmup_requests` holds a small request of each batchable
    signature, or of each where none is, which TensorFlow Serving answers while it
    loads the version, so that the first client does not wait longer than others: a
    server that joins requests would refuse the others, and the version. There is none for encoders of a free size
    that do not take the size that is tried, and none of more than 4 MiB.

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
        open_set_thresholds: From which score on a query counts as one of a known
            class, of `OpenSetResult.threshold`; the latest last.

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
    examples = learner.example_spec(input_dtype)
    return write_saved_model(
        learner,
        path,
        version=version,
        examples=examples,
        endpoints=learner.endpoints(examples),
        description=description,
        facts={"open_set_thresholds": [t.to_json() for t in open_set_thresholds]},
    )


def write_saved_model(
    learner: FewShotLearner,
    path: str | os.PathLike[str],
    *,
    version: int | None,
    examples: ExampleSpec,
    endpoints: Sequence[Endpoint],
    description: Mapping[str, Any] | None,
    tracked: Sequence[tf.Module] = (),
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Writes signatures as `save` does, whichever they are.

    Args:
        learner: Whose they are.
        path: As of `save`.
        version: As of `save`.
        examples: What the learner is served with.
        endpoints: What is written as signatures, the default one first.
        description: As of `save`.
        tracked: What holds variables that the endpoints use, beside the learner's.
        facts: What `tfmeta.json` says besides, by keys of its own.

    Returns:
        `path/<version>`.

    Raises:
        Exception: As of `save`.
    """
    check_finite_weights("`learner`", learner.variables)
    described = checked_description(description)

    def write(folder: Path) -> None:
        signatures = _write_archive(learner, endpoints, tracked, folder)
        content = _describe(learner, examples, signatures, described)
        content.update(facts or {})
        text = json_text(content, DESCRIPTION_FILE, indent=2)
        (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")
        card = model_card(json.loads(text))
        (folder / MODEL_CARD_FILE).write_text(card, encoding="utf-8")

    return write_version(Path(path), version, write)


def _write_archive(
    learner: FewShotLearner,
    endpoints: Sequence[Endpoint],
    tracked: Sequence[tf.Module],
    folder: Path,
) -> dict[str, Any]:
    """Writes the SavedModel; returns its signatures, the default one first."""
    archive = keras.export.ExportArchive()
    # Its variables are found by the functions that use them; lookup tables are not.
    for holder in (learner, *tracked):
        archive.track(holder)
    signatures: dict[str, Any] = {}
    trials = Trials()
    for endpoint in endpoints:
        function = archive.add_endpoint(
            endpoint.name, endpoint.function, input_signature=list(endpoint.inputs)
        )
        trials.check_answers(endpoint, function)
        outputs = function.get_concrete_function().structured_outputs
        check_batchable(endpoint, outputs)
        signatures[endpoint.name] = {
            "batchable": endpoint.batchable,
            "inputs": {spec.name: _tensor(spec) for spec in endpoint.inputs},
            "outputs": {name: _tensor(spec) for name, spec in outputs.items()},
        }
    try:
        with _quiet_tensorflow():
            archive.write_out(folder, verbose=False)
        default = {"serving_default": next(iter(signatures.values()))}
        keep_apart(
            folder,
            [n for n, s in {**default, **signatures}.items() if not s["batchable"]],
        )
        batchable = [n for n, s in signatures.items() if s["batchable"]]
        requests = to_warm_up(trials.requests, batchable)
        write_warmup(folder, with_default(requests, next(iter(signatures))))
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
        "parameters": sum(math.prod(w.shape) for w in learner.weights),
        "transductive": learner.transductive,
        "pretraining_data": learner.pretraining_data,
        "example": {
            "shape": list(examples.shape),
            "dtype": examples.dtype.name,
            "value_range": examples.value_range,
        },
        "embedding_shape": list(encoder.output_shape[1:]) if embeds else None,
        "most_ways": _most_ways(learner),
        "default_signature": next(iter(signatures)),
        "signatures": signatures,
        "versions": {
            "tfmeta": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
        "description": description,
    }


def _most_ways(learner: FewShotLearner) -> int | None:
    if learner.task == "regression":
        return None
    return learner.fixed_ways or MOST_WAYS


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
