"""Checks of inputs that hold unlabelled examples."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.testing.comparisons import ROUNDING_64, expect, expect_close
from tfmeta.testing.padding import pad_episode
from tfmeta.testing.subject import QUERIES, TASKS, WAYS, Subject, learner_check


@learner_check("float64")
def check_unlabelled_inputs(subject: Subject) -> None:
    """Unlabelled examples are made use of or ignored; padding of them is ignored."""
    learner = subject.compiled("sgd")
    for varied in (False, True):
        inputs, y, *weight = subject.batch(varied=varied, unlabelled=True)
        logits = learner.episode_logits(inputs)
        wanted = (TASKS, WAYS * QUERIES, WAYS)
        expect(
            tuple(logits.shape) == wanted,
            f"unlabelled examples must not change the shape of logits, {wanted} here. "
            f"Received: {tuple(logits.shape)}",
        )
        present = tf.reduce_any(inputs["support_labels"] > 0, axis=1)[:, None, :]
        expect(
            bool(tf.reduce_all(tf.math.is_finite(logits) | ~present)),
            "logits of present ways must be finite with unlabelled examples",
        )
        padded, *_ = pad_episode((inputs, y, *weight), unlabelled=3)
        real = inputs.get("query_mask", tf.ones_like(y, tf.bool)).numpy()
        expect_close(
            learner.episode_logits(padded).numpy()[real],
            logits.numpy()[real],
            ROUNDING_64,
            "padding (unlabelled rows) must change no logits: where there is an "
            "`unlabelled_mask`, rows that are False in it are none",
        )
    history = learner.fit(
        subject.episodes(varied=True, unlabelled=True).as_dataset(),
        steps_per_epoch=2,
        verbose=0,
        shuffle=False,
    ).history
    expect(
        bool(np.isfinite(history["loss"]).all()),
        "`fit` must report a finite loss on episodes with unlabelled examples. "
        f"Received: {history['loss']}",
    )
