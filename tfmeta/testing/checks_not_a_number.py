"""A check that NaN and infinity are passed on."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.testing.comparisons import ROUNDING_32, expect, expect_close
from tfmeta.testing.subject import Subject, learner_check, logits_of


@learner_check()
def check_not_a_number(subject: Subject) -> None:
    """NaN or infinity in an example or a weight ends in NaN, where it has a part.

    The logits of a query that depends on it hold NaN, and not numbers like any
    others, nor `-inf`, which says that a way is absent. The loss is not finite. Other
    tasks are as they were, and where queries are classified each by itself, other
    queries.
    """
    learner = subject.learner()
    inputs, y, *weight = subject.batch()
    expected = logits_of(learner, inputs).numpy()
    for number in (np.nan, np.inf):
        for part in ("support", "query"):
            broken = {**inputs, part: _with_one(inputs[part], number)}
            found = logits_of(learner, broken).numpy()
            touched = found[0] if part == "support" else found[0, :1]
            _expect_seen(touched, f"{number} in a {part} example")
            expect_close(
                found[1:],
                expected[1:],
                ROUNDING_32,
                f"{number} in a {part} example must not change the logits of other "
                "tasks",
            )
            if part == "query" and not learner.transductive:
                expect_close(
                    found[0, 1:],
                    expected[0, 1:],
                    ROUNDING_32,
                    f"`transductive` is False, but {number} in a query changes the "
                    "logits of other queries",
                )
    compiled = subject.compiled("sgd", run_eagerly=True)
    broken = {**inputs, "query": _with_one(inputs["query"], np.nan)}
    loss = compiled.test_on_batch(broken, y, *weight, return_dict=True)["loss"]
    expect(
        not np.isfinite(loss),
        f"the loss of a batch with NaN in a query must not be finite. Received: {loss}",
    )
    encoder = learner.encoder
    if encoder is not None and encoder.trainable_variables:
        variable = encoder.trainable_variables[0]
        variable.assign(_with_one(tf.convert_to_tensor(variable)[None], np.nan)[0])
        _expect_seen(
            logits_of(learner, inputs).numpy().reshape(-1, expected.shape[-1]),
            f"NaN in the encoder's weight {variable.path}",
        )


def _with_one(values: tf.Tensor, number: float) -> tf.Tensor:
    """The values with another number first in the first task."""
    changed = np.array(values)
    changed.flat[0] = number
    return tf.constant(changed)


def _expect_seen(logits: np.ndarray, what: str) -> None:
    seen = (np.isnan(logits) | np.isposinf(logits)).any(axis=-1)
    expect(
        bool(seen.all()),
        f"{what} must be seen as NaN in the logits of every query that depends on it. "
        f"Received: {logits[~seen][:1].tolist()}",
    )
