"""Classifying pictures of which some may be of no class of the support."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.classifying.answers import Answers
from tfmeta.classifying.run_pictures import RunPictures
from tfmeta.classifying.saved_model import check_probabilities
from tfmeta.classifying.task import UNKNOWN
from tfmeta.finite_checks import check_finite_weights
from tfmeta.printable import shell_word
from tfmeta.runs.measuring.open_set import find_threshold
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


def classify_open_set(folder: RunFolder, pictures: RunPictures) -> Answers:
    """Classifies with the learner and the threshold of a run.

    Args:
        folder: The run.
        pictures: The task.

    Returns:
        The answers, with "none of these" among them; a warning where the threshold
        is of other tasks.

    Raises:
        FileNotFoundError: When the run has no learner, or no threshold.
        ValueError: When a file is damaged, or an answer is not finite; counts them.
    """
    task = pictures.task
    ways = len(task.class_names)
    shots = int(np.bincount(task.support_labels).min())
    threshold = find_threshold(folder, ways=ways, shots=shots)
    learner = load_learner(folder)
    check_finite_weights(str(folder.learner_file), learner.variables)
    labels = tf.one_hot(task.support_labels, ways)
    state = learner.adapt(tf.constant(pictures.support)[None], labels[None])
    logits = learner.predict_query(state, tf.constant(pictures.query)[None])[0]
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
            f"`tfmeta evaluate {shell_word(folder.path)} --open-set --ways {ways} "
            f"--shots {shots}`"
        )
    return Answers(
        names=task.query_names,
        class_names=task.class_names,
        probabilities=probabilities,
        classes=np.where(accepted, logits.numpy().argmax(axis=1), UNKNOWN),
        labels=task.query_labels,
        open_set=True,
        warnings=tuple(warnings),
    )
