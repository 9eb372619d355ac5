"""Checks of what may depend on what inside a batch of tasks."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.testing.comparisons import ROUNDING_64, difference, expect, expect_close
from tfmeta.testing.subject import WAYS, Subject, learner_check, logits_of


@learner_check("float64")
def check_class_order(subject: Subject) -> None:
    """Classes numbered in another order give the same logits in that order."""
    learner = subject.learner()
    inputs, _ = subject.batch()
    order = np.roll(np.arange(WAYS), 1)
    shuffled = {**inputs}
    shuffled["support_labels"] = tf.gather(inputs["support_labels"], order, axis=2)
    expect_close(
        logits_of(learner, shuffled),
        tf.gather(logits_of(learner, inputs), order, axis=2),
        ROUNDING_64,
        "numbering the classes in another order must permute the logits",
    )


@learner_check("float64")
def check_transductive(subject: Subject) -> None:
    """`transductive` says whether a prediction depends on the other queries."""
    learner = subject.learner()
    inputs, _ = subject.batch()
    query = inputs["query"]
    expected = logits_of(learner, inputs)
    others = tf.concat([query[:, :1], 1.0 - 2.0 * query[:, 1:]], axis=1)
    moved = difference(
        logits_of(learner, {**inputs, "query": others})[:, 0], expected[:, 0]
    )
    if learner.transductive:
        expect(
            moved > ROUNDING_64,
            "`transductive` is True, but other queries in the task do not change the "
            "logits of a query",
        )
        return
    expect(
        moved <= ROUNDING_64,
        "`transductive` is False, but the logits of a query change with the other "
        f"queries in its task (relative difference {moved:.1e})",
    )
    shuffled = {**inputs, "query": tf.reverse(query, axis=[1])}
    alone = {**inputs, "query": query[:, :1]}
    expect_close(
        logits_of(learner, shuffled),
        tf.reverse(expected, axis=[1]),
        ROUNDING_64,
        "`transductive` is False, but the logits of a query change with its place",
    )
    expect_close(
        logits_of(learner, alone)[:, 0],
        expected[:, 0],
        ROUNDING_64,
        "`transductive` is False, but a query has other logits when it is alone",
    )


@learner_check("float64")
def check_tasks_are_independent(subject: Subject) -> None:
    """A batch of tasks gives what its tasks give one by one."""
    learner = subject.learner()
    inputs = subject.batch(varied=True)[0]
    together = logits_of(learner, inputs)
    for task in range(together.shape[0]):
        alone = {name: part[task : task + 1] for name, part in inputs.items()}
        real = inputs["query_mask"][task]
        expect_close(
            logits_of(learner, alone)[0][real],
            together[task][real],
            ROUNDING_64,
            "a task must have the same logits alone and in a batch with other tasks",
        )


@learner_check()
def check_absent_ways(subject: Subject) -> None:
    """A way without a real support row has probability 0, and training stays finite."""
    learner = subject.compiled("sgd")
    inputs, y, sample_weight = subject.batch(varied=True)
    present = tf.reduce_any(inputs["support_labels"] > 0, axis=1)
    for training in (False, True):
        logits = learner.episode_logits(inputs, training=training)
        probabilities = tf.nn.softmax(logits, axis=-1)
        real = inputs["query_mask"][:, :, None]
        expect(
            bool(tf.reduce_all(tf.math.is_finite(probabilities) | ~real)),
            f"probabilities must be finite where a way is absent, training={training}",
        )
        absent = tf.where(real & ~present[:, None, :], probabilities, 0.0)
        largest = float(tf.reduce_max(absent))
        expect(
            largest == 0.0,
            "a way without a real support row must have probability 0, so its logit "
            f"must be -inf. Received: probability {largest:.3g} with "
            f"training={training}",
        )
    logs = learner.train_on_batch(inputs, y, sample_weight, return_dict=True)
    finite = all(np.all(np.isfinite(w)) for w in learner.get_weights())
    expect(
        bool(np.isfinite(logs["loss"])) and finite,
        "a training step must stay finite where a way is absent: select logits with "
        f"`tf.where`. Received: loss {logs['loss']}, finite weights: {finite}",
    )


@learner_check("float64")
def check_free_dimensions(subject: Subject) -> None:
    """Tasks, rows and ways may be unknown when a graph is traced."""
    learner = subject.learner()
    shape = [None, None, *subject.example_shape]

    @tf.function(
        input_signature=[
            tf.TensorSpec(shape, tf.float32),
            tf.TensorSpec([None, None, None], tf.float32),
            tf.TensorSpec(shape, tf.float32),
        ]
    )
    def classify(
        support: tf.Tensor, support_labels: tf.Tensor, query: tf.Tensor
    ) -> tf.Tensor:
        return learner.predict_query(learner.adapt(support, support_labels), query)

    for ways in (WAYS, 2, 5) if subject.ways_are_free else (WAYS,):
        inputs = subject.batch(ways=ways)[0]
        logits = classify(inputs["support"], inputs["support_labels"], inputs["query"])
        expect(
            logits.shape[-1] == ways,
            f"an episode of {ways} ways must have {ways} logits per query, whatever "
            f"the ways of training. Received: shape {tuple(logits.shape)}",
        )
        expect_close(
            logits,
            logits_of(learner, inputs),
            ROUNDING_64,
            f"a graph of unknown dimensions must give the logits of {ways} ways",
        )
