"""Checks that padding changes nothing."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tfmeta.testing.comparisons import (
    ROUNDING_64,
    expect,
    expect_close,
    flat,
    weights_of,
)
from tfmeta.testing.padding import pad_episode
from tfmeta.testing.subject import Subject, learner_check, logits_of


@learner_check("float64")
def check_padded_predictions(subject: Subject) -> None:
    """Padded support rows, padded queries and absent ways change no logits."""
    learner = subject.learner()
    paddings: dict[str, dict[str, int]] = {
        "support rows": {"support": 4},
        "query rows": {"queries": 2},
    }
    if subject.ways_are_free:
        paddings["absent ways"] = {"ways": 2}
        paddings["rows and ways"] = {"support": 3, "queries": 1, "ways": 2}
    for varied in (False, True):
        batch = subject.batch(varied=varied)
        expected = logits_of(learner, batch[0]).numpy()
        _, queries, ways = expected.shape
        real = np.ones(expected.shape[:2], bool)
        if varied:
            real = batch[0]["query_mask"].numpy()
        for kind, counts in paddings.items():
            padded = logits_of(learner, pad_episode(batch, **counts)[0]).numpy()
            wanted = (
                len(expected),
                queries + counts.get("queries", 0),
                ways + counts.get("ways", 0),
            )
            expect(
                padded.shape == wanted,
                f"logits of episodes with padding ({kind}) must have shape {wanted}, "
                f"padding included. Received: {padded.shape}",
            )
            expect(
                bool(np.isneginf(padded[:, :queries, ways:][real]).all()),
                f"ways that padding ({kind}) adds must have logit -inf, also where "
                "padded support rows claim to belong to them",
            )
            expect_close(
                padded[:, :queries, :ways][real],
                expected[real],
                ROUNDING_64,
                f"padding ({kind}) must change no logits: padded rows must never "
                "reach the encoder, nor count as support of a way",
            )


@learner_check("float64")
def check_padded_training(subject: Subject) -> None:
    """Padding changes no loss, no accuracy and no training update."""
    batch = subject.batch()
    start = flat(weights_of(subject.learner()))
    loss, accuracy, expected = train_step(subject, batch)
    paddings: dict[str, dict[str, int]] = {
        "support rows": {"support": 4},
        "query rows": {"queries": 2},
    }
    if subject.ways_are_free:
        # One of each would do, but a name for what leaks is worth its time.
        paddings["absent ways"] = {"ways": 2}
    for kind, counts in paddings.items():
        logs = train_step(subject, pad_episode(batch, **counts))
        for name, padded, value in (
            ("loss", logs[0], loss),
            ("accuracy", logs[1], accuracy),
            ("update of the weights", logs[2] - start, expected - start),
        ):
            expect_close(
                padded,
                value,
                ROUNDING_64,
                f"padding ({kind}) must not change the {name} of a training step",
            )


def train_step(subject: Subject, batch: tuple) -> tuple[float, float, np.ndarray]:
    """Loss, accuracy and all weights after one step."""
    # Nothing is run twice, so a graph would only take its time to be traced.
    learner = subject.compiled(keras.optimizers.SGD(0.1), run_eagerly=True)
    logs: Any = learner.train_on_batch(*batch, return_dict=True)
    return logs["loss"], logs["accuracy"], flat(weights_of(learner))
