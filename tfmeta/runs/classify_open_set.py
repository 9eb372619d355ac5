"""Classifying pictures of which some may be of no class of the support."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tfmeta.finite_checks import check_finite_weights
from tfmeta.runs.classify import TaskPictures, check_probabilities
from tfmeta.runs.measuring.open_set import find_threshold
from tfmeta.runs.query_files import UNKNOWN
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


@dataclasses.dataclass(frozen=True, eq=False)
class OpenSetAnswers:
    """Answers with "none of these" among them.

    Attributes:
        probabilities: Float32 `(queries, ways)`.
        answers: Int `(queries,)`: classes, -1 for none of these.
        warnings: What the user should know of the threshold.
    """

    probabilities: np.ndarray
    answers: np.ndarray
    warnings: tuple[str, ...]


def classify_open_set(folder: RunFolder, task: TaskPictures) -> OpenSetAnswers:
    """Classifies with the learner and the threshold of a run.

    Raises:
        FileNotFoundError: When the run has no learner, or no threshold.
        ValueError: When a file is damaged, or an answer is not finite; counts them.
    """
    ways = len(task.class_names)
    shots = int(np.bincount(task.support_labels).min())
    threshold = find_threshold(folder, ways=ways, shots=shots)
    learner = load_learner(folder)
    check_finite_weights(str(folder.learner_file), learner.variables)
    labels = tf.one_hot(task.support_labels, ways)
    state = learner.adapt(tf.constant(task.support)[None], labels[None])
    logits = learner.predict_query(state, tf.constant(task.query)[None])[0]
    logits = tf.cast(logits, tf.float32)
    probabilities = tf.nn.softmax(logits).numpy()
    # The softmax of infinite logits is finite where they are below others.
    check_probabilities(logits.numpy(), str(folder.learner_file))
    scores = {"logit": logits.numpy(), "probability": probabilities}[threshold.score]
    accepted = threshold.accepts(scores.max(axis=1))
    p, warnings = threshold.protocol, []
    if (p["ways"], p["shots"]) != (ways, shots):
        warnings.append(
            f"the threshold was fitted on {p['ways']}-way {p['shots']}-shot episodes, "
            f"and this task has {ways} classes with {shots} shots: fit another with "
            f"`tfmeta evaluate {folder.path} --open-set --ways {ways} --shots {shots}`"
        )
    return OpenSetAnswers(
        probabilities=probabilities,
        answers=np.where(accepted, logits.numpy().argmax(axis=1), UNKNOWN),
        warnings=tuple(warnings),
    )
