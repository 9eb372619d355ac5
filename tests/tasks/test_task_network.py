"""Many networks at once, against one at a time in NumPy and Keras."""

import keras
import numpy as np
import pytest
from many_tasks import tasks

from tfmeta.tasks import TaskNetwork


def test_outputs_are_those_of_each_task_alone():
    network = TaskNetwork(3, 2, units=(5, 4))
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=(3, *s)).astype("float32") for s in network.shapes]
    rows = rng.normal(size=(3, 6, 3)).astype("float32")
    found = network(parameters, rows)
    for task in range(3):
        values = rows[task]
        a, b, c, d, e, f = (part[task] for part in parameters)
        values = np.maximum(values @ a + b, 0)
        values = np.maximum(values @ c + d, 0)
        np.testing.assert_allclose(found[task], values @ e + f, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("regression", [False, True])
def test_training_is_that_of_keras_for_each_task(regression):
    # Classes of other sizes: of equal ones a first gradient is 0 but for rounding,
    # which Adam would make large.
    rows, labels = tasks(2, rows=11)
    network = TaskNetwork(3, 3, units=(4,), regression=regression)
    found = network.fit(rows, labels, steps=7, learning_rate=0.05, weight_decay=0.01)
    for task in range(2):
        model = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Dense(
                    4,
                    activation="relu",
                    kernel_regularizer=keras.regularizers.L2(0.01),
                    bias_regularizer=keras.regularizers.L2(0.01),
                ),
                keras.layers.Dense(
                    3,
                    kernel_regularizer=keras.regularizers.L2(0.01),
                    bias_regularizer=keras.regularizers.L2(0.01),
                ),
            ]
        )
        model.set_weights(network.start())
        loss = (
            keras.losses.MeanSquaredError()
            if regression
            else keras.losses.CategoricalCrossentropy(from_logits=True)
        )
        adam = keras.optimizers.Adam(0.05, epsilon=1e-7)
        model.compile(adam, loss=loss, jit_compile=False)
        for _ in range(7):
            model.train_on_batch(rows[task], labels[task])
        for weights, part in zip(model.get_weights(), found, strict=True):
            np.testing.assert_allclose(part[task], weights, rtol=1e-3, atol=1e-4)


def test_a_task_is_trained_as_if_it_were_alone():
    rows, labels = tasks(5)
    network = TaskNetwork(3, 3, units=(4,))
    together = network.fit(rows, labels, steps=20)
    alone = network.fit(rows[2:3], labels[2:3], steps=20)
    for one, all_of_them in zip(alone, together, strict=True):
        np.testing.assert_allclose(one[0], all_of_them[2], rtol=1e-5, atol=1e-6)


def test_it_goes_on_from_a_start():
    rows, labels = tasks(2)
    network = TaskNetwork(3, 3, units=(4,))
    start = network.fit(rows, labels, steps=50)
    same = network.fit(rows, labels, steps=0, start=start)
    for one, other in zip(start, same, strict=True):
        np.testing.assert_array_equal(one, other)
    further = network.fit(rows, labels, steps=50, start=start)
    before, after = (network.losses(p, rows, labels) for p in (start, further))
    assert np.all(after < before)
