"""Random layers under an inner loop: another mask for every task, the same by seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners import MAML, MAMLPlusPlus, Reptile


def make_learner(kind, rate, **arguments):
    encoder = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(
                16, kernel_initializer=keras.initializers.GlorotUniform(seed=1)
            ),
            keras.layers.Dropout(rate, seed=3),
        ]
    )
    if kind is MAML:
        arguments = {"inner_learning_rate": 0.1, **arguments}
    learner = kind(encoder, 3, inner_steps=2, seed=0, **arguments)
    learner.compile(keras.optimizers.SGD(0.1))
    return learner


def the_same_task_twice():
    rng = np.random.default_rng(0)

    def twice(array):
        return tf.constant(np.stack([array, array]))

    inputs = {
        "support": twice(rng.normal(size=(3, 8)).astype("f4")),
        "support_labels": twice(np.eye(3, dtype="f4")),
        "query": twice(rng.normal(size=(6, 8)).astype("f4")),
    }
    return inputs, twice(np.arange(6) % 3)


def found(learner):
    inputs, y = the_same_task_twice()
    return learner.make_meta_gradient(learner.phases()[0]).of_batch(inputs, y, None)


@pytest.mark.parametrize("kind", [MAML, MAMLPlusPlus, Reptile])
def test_tasks_drop_out_what_is_their_own(kind):
    first, second = found(make_learner(kind, 0.5)).outputs.numpy()
    assert np.abs(first - second).max() > 1e-2
    first, second = found(make_learner(kind, 0.0)).outputs.numpy()
    np.testing.assert_allclose(first, second, rtol=1e-6)


@pytest.mark.slow
def test_draws_repeat_by_seed_and_change_with_the_step():
    outputs = [found(make_learner(MAML, 0.5)).outputs.numpy() for _ in range(2)]
    np.testing.assert_array_equal(*outputs)
    learner = make_learner(MAML, 0.5)
    learner.optimizer.learning_rate = 0.0
    learner.train_on_batch(*the_same_task_twice())
    assert np.abs(found(learner).outputs.numpy() - outputs[0]).max() > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("rematerialize", [False, True])
def test_what_is_kept_is_the_counter_that_moved_on(rematerialize):
    learner = make_learner(MAML, 0.5, rematerialize=rematerialize)
    (state,) = learner.encoder.non_trainable_variables
    before = state.numpy()
    learner.train_on_batch(*the_same_task_twice())
    # Two inner steps and the pass of the queries.
    np.testing.assert_array_equal(
        state.numpy(), before + np.array([0, 3], before.dtype)
    )


@pytest.mark.parametrize("kind", [MAML, MAMLPlusPlus])
def test_what_is_computed_once_more_drops_out_the_same(kind):
    plain = found(make_learner(kind, 0.5)).gradients
    again = found(make_learner(kind, 0.5, rematerialize=True)).gradients
    for one, other in zip(plain, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
