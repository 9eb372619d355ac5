"""tfmeta's MAML, first-order MAML and ANIL, and how fast matrices multiply."""

from __future__ import annotations

from typing import Any

import numpy as np
from interleaved import Measure, start_tensorflow, timed
from maml_setting import (
    EPSILON,
    LEARNING_RATE,
    WAYS,
    first_weights,
    inner_rate,
    make_tasks,
    operations_of_task,
    start_training,
)

# Of the square matrices that are multiplied.
SIDE = 2048


def tensorflow_training(
    *, threads: int, tasks: int, inner_steps: int, kind: str
) -> tuple[Measure, dict[str, Any]]:
    """A learner's compiled training step.

    Args:
        threads: As many tasks are worked on at once, each in one thread, as
            `tfmeta train` sets it.
        tasks: Tasks of a step.
        inner_steps: Steps of the inner loop.
        kind: `"second order"`, `"first order"` or `"ANIL"`.
    """
    tf = start_tensorflow(threads, intra_op=1)
    import keras

    from tfmeta.encoders import Conv4
    from tfmeta.learners import ANIL, MAML

    settings = {
        "ways": WAYS,
        "inner_steps": inner_steps,
        "inner_learning_rate": inner_rate(inner_steps),
    }
    learner = (
        ANIL(Conv4(), **settings)
        if kind == "ANIL"
        else MAML(Conv4(), **settings, first_order=kind == "first order")
    )
    for variable, value in zip(
        learner.trainable_variables, first_weights(), strict=True
    ):
        variable.assign(value)
    learner.compile(keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON))

    support, support_labels, query, query_labels = make_tasks(tasks)
    inputs = {
        "support": tf.constant(support),
        "support_labels": tf.one_hot(np.tile(support_labels, (tasks, 1)), WAYS),
        "query": tf.constant(query),
    }
    labels = tf.constant(np.tile(query_labels, (tasks, 1)), tf.int32)
    dataset = tf.data.Dataset.from_tensors((inputs, labels)).cache().repeat()
    batches = iter(dataset)

    def first_step() -> tuple[float, list[np.ndarray]]:
        # Through `fit`, which builds and compiles everything.
        history = learner.fit(
            dataset, steps_per_epoch=1, shuffle=False, verbose=0
        ).history
        # After one step Adam's momentum is a tenth of the gradient.
        momenta = {v.path: v for v in learner.optimizer.variables}
        gradients = [
            10 * np.asarray(momenta[path])
            for path in momenta
            if path.endswith("_momentum")
        ]
        return history["loss"][0], gradients

    return start_training(
        first_step,
        lambda: learner.train_function(batches),
        tasks=tasks,
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
    )


def matrix_multiplication(
    *, threads: int, inner_steps: int, at_once: bool
) -> tuple[Measure, dict[str, Any]]:
    """Products of large float32 matrices, counted as the tasks they are worth.

    Args:
        threads: Threads that multiply.
        inner_steps: Of the tasks.
        at_once: Whether each thread has a product of its own; otherwise all share
            one.
    """
    tf = start_tensorflow(threads, intra_op=1 if at_once else None)
    rng = np.random.default_rng(0)
    pairs = [
        tf.constant(rng.random((2, SIDE, SIDE), np.float32))
        for _ in range(threads if at_once else 1)
    ]

    @tf.function
    def multiply() -> list[Any]:
        # Not `pairs` itself, whose products would be made while tracing.
        return [tf.matmul(*tf.unstack(held.read_value())) for held in variables]

    variables = [tf.Variable(pair) for pair in pairs]
    multiply()
    operations = 2.0 * SIDE**3 * len(pairs)
    facts = {
        "operations_per_task": operations_of_task(inner_steps),
        "versions": {"tensorflow": tf.__version__},
    }
    return timed(multiply, operations / operations_of_task(inner_steps)), facts
