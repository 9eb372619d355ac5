"""Answers without a run: a pre-trained encoder, and a head that is fitted at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.classifying.answers import Answers
from tfmeta.classifying.saved_model import check_probabilities
from tfmeta.classifying.task import Task
from tfmeta.datasets.own.array_files import check_finite_examples
from tfmeta.registry import LEARNERS, resolve

# Logits of so many queries and ways at once.
_MOST_LOGITS = 4 * 2**20


def make_head(name: str, encoder: keras.Model, **arguments: Any) -> Any:
    """A learner that needs no training.

    Args:
        name: Its name in `tfmeta.registry.LEARNERS`.
        encoder: The encoder.
        **arguments: What its constructor takes besides.
    """
    return resolve(LEARNERS[name].path)(encoder, **arguments)


def classify_vectors(name: str, task: Task[np.ndarray]) -> Answers:
    """Classifies vectors as they are, without an encoder.

    Args:
        name: Of the learner, as of `make_head`.
        task: The vectors.

    Raises:
        ValueError: When a number is too large for float32, or as `classify_features`.
    """
    with np.errstate(over="ignore"):
        features = np.stack([*task.support, *task.query]).astype(np.float32)
    check_finite_examples(features, "vectors in float32")
    inputs = keras.Input(features.shape[1:])
    encoder = keras.Model(inputs, keras.layers.Identity()(inputs), name="vectors")
    return classify_features(make_head(name, encoder), task, features, of="array")


def classify_features(
    learner: Any,
    task: Task,
    features: np.ndarray,
    *,
    prior: np.ndarray | None = None,
    of: str = "picture",
) -> Answers:
    """Classifies queries by their features.

    Args:
        learner: A head of features, as of `make_head`.
        task: The task.
        features: Float32 `(support + queries, features)`, the support's first.
        prior: Float32 `(ways, features)`: what is known of each class besides, or
            `None`.
        of: What a query is, `"picture"`, `"text"` or `"array"`.

    Returns:
        The answers, of class probabilities `softmax(logits)`.

    Raises:
        ValueError: When probabilities are not finite; counts the queries.
    """
    shots, ways = len(task.support), len(task.class_names)
    priors = {} if prior is None else {"prior": tf.constant(prior)[None]}
    state = learner.adapt_embeddings(
        tf.constant(features[:shots])[None],
        tf.one_hot(task.support_labels, ways)[None],
        **priors,
    )
    probabilities = np.concatenate(
        [
            _softmax(learner.compare_embeddings(state, tf.constant(part)[None]))
            for part in _parts(features[shots:], max(1, _MOST_LOGITS // ways))
        ]
    )
    check_probabilities(probabilities, f"encoder {learner.encoder.name!r}")
    return Answers(
        names=task.query_names,
        class_names=task.class_names,
        probabilities=probabilities,
        classes=probabilities.argmax(axis=1),
        labels=task.query_labels,
        of=of,
    )


def _parts(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _softmax(logits: tf.Tensor) -> np.ndarray:
    return tf.nn.softmax(tf.cast(logits[0], tf.float32)).numpy()
