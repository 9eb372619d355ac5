"""Checks of inputs that hold unlabelled examples."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.testing.checks_padding import train_step
from tfmeta.testing.comparisons import (
    ROUNDING_64,
    difference,
    expect,
    expect_close,
    flat,
    weights_of,
)
from tfmeta.testing.padding import pad_episode
from tfmeta.testing.subject import (
    QUERIES,
    TASKS,
    WAYS,
    Subject,
    learner_check,
    logits_of,
)


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


@learner_check("float64")
def check_use_of_unlabelled(subject: Subject) -> None:
    """`uses_unlabelled` says whether unlabelled examples change predictions."""
    learner = subject.learner()
    inputs, y = subject.batch(unlabelled=True)
    logits = learner.episode_logits(inputs)
    without = {name: part for name, part in inputs.items() if name != "unlabelled"}
    moved = difference(learner.episode_logits(without), logits)
    if not learner.uses_unlabelled:
        expect(
            moved <= ROUNDING_64,
            "`uses_unlabelled` is False, but unlabelled examples change the logits "
            f"(relative difference {moved:.1e})",
        )
        return
    expect(
        moved > ROUNDING_64,
        "`uses_unlabelled` is True, but unlabelled examples do not change the logits",
    )
    expect_close(
        logits_of(learner, inputs),
        logits,
        ROUNDING_64,
        "`adapt` with `unlabelled` must give the logits of the episode batch",
    )
    reordered = {**inputs, "unlabelled": tf.reverse(inputs["unlabelled"], [1])}
    expect_close(
        learner.episode_logits(reordered),
        logits,
        ROUNDING_64,
        "the order of unlabelled examples must not change the logits",
    )
    padded = pad_episode((inputs, y), unlabelled=3)
    expect_close(
        logits_of(learner, padded[0]),
        logits,
        ROUNDING_64,
        "padding (unlabelled rows) must change no logits of `adapt` with "
        "`unlabelled_mask`",
    )
    start = flat(weights_of(learner))
    (loss, _, weights), (padded_loss, _, padded_weights) = (
        train_step(subject, batch) for batch in ((inputs, y), padded)
    )
    for name, found, expected in (
        ("loss", padded_loss, loss),
        ("update of the weights", padded_weights - start, weights - start),
    ):
        expect_close(
            found,
            expected,
            ROUNDING_64,
            f"padding (unlabelled rows) must not change the {name} of a training step: "
            "padded rows must never reach the encoder",
        )
