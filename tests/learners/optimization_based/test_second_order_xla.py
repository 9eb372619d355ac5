"""Second derivatives of maxima under XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners.optimization_based.second_order_facts import MAX_POOLING

L = keras.layers


def second_derivative(pool, x, direction, *, jit_compile):
    """Of the sum of the maxima, weighted, by their weights: what is at the maxima."""

    def derivative(x, weights):
        with tf.GradientTape() as outer:
            outer.watch(weights)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = tf.reduce_sum(pool(x) * weights)
            along = tf.reduce_sum(inner.gradient(value, x) * direction)
        return outer.gradient(along, weights)

    weights = tf.ones_like(pool(x))
    return tf.function(derivative, jit_compile=jit_compile)(x, weights).numpy()


@pytest.mark.parametrize(
    "kind",
    [
        *MAX_POOLING,
        L.GlobalMaxPooling1D,
        L.GlobalMaxPooling2D,
        L.GlobalMaxPooling3D,
    ],
)
def test_maxima_under_xla(kind):
    is_global = "Global" in kind.__name__
    pool = kind() if is_global else kind(2)
    rng = np.random.default_rng(0)
    shape = (4, *[6] * int(kind.__name__[-2]), 3)
    direction = tf.constant(rng.normal(size=shape).astype("float32"))
    # XLA finds the maximum after rounding to bfloat16, where 1 is followed by 1.008.
    x = tf.constant((1 + 0.003 * rng.normal(size=shape)).astype("float32"))
    exact, found = (
        second_derivative(pool, x, direction, jit_compile=jit_compile)
        for jit_compile in (False, True)
    )
    wrong = np.mean(np.abs(found - exact) > 1e-5)
    assert wrong == 0 if is_global else wrong > 0.05
