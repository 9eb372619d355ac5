"""First and second derivatives, against central differences and float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import BatchNormalization

INNER_RATE = 0.5


def _regression(seed=0):
    """Support pictures and targets, query pictures and targets."""
    rng = np.random.default_rng(seed)
    return [
        rng.normal(1.0, 2.0, size=shape)
        for shape in ((6, 5, 5, 2), (6, 3), (9, 5, 5, 2), (9, 3))
    ]


def _network(layer, dtype, rank=4):
    """Two smooth blocks with `layer` between the linear map and tanh."""
    inputs = keras.Input((5, 5, 2), dtype=dtype)
    x = inputs if rank == 4 else keras.layers.Flatten(dtype=dtype)(inputs)
    for seed in (1, 2):
        kernel = keras.initializers.GlorotUniform(seed)
        if rank == 4:
            x = keras.layers.Conv2D(
                4, 3, use_bias=False, kernel_initializer=kernel, dtype=dtype
            )(x)
        else:
            x = keras.layers.Dense(
                4, use_bias=False, kernel_initializer=kernel, dtype=dtype
            )(x)
        x = layer(dtype=dtype)(x)
        x = keras.layers.Activation("tanh", dtype=dtype)(x)
    x = keras.layers.Flatten(dtype=dtype)(x)
    kernel = keras.initializers.GlorotUniform(3)
    outputs = keras.layers.Dense(3, kernel_initializer=kernel, dtype=dtype)(x)
    return keras.Model(inputs, outputs)


def _loss(model, weights, pictures, targets):
    fixed = [v.value for v in model.non_trainable_variables]
    outputs, _ = model.stateless_call(weights, fixed, pictures, training=True)
    return tf.reduce_mean(tf.square(outputs - targets))


def _loss_after_a_step(model, weights, data):
    """The query loss after one gradient step on the support loss."""
    support, support_targets, query, query_targets = data
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = _loss(model, weights, support, support_targets)
    gradients = tape.gradient(loss, weights)
    adapted = [w - INNER_RATE * g for w, g in zip(weights, gradients, strict=True)]
    return _loss(model, adapted, query, query_targets)


def _first_order(model, weights, data):
    return _loss(model, weights, *data[:2])


def _differentiator(objective, model, jit_compile=False):
    """A compiled function from weights and data to value and gradient."""

    @tf.function(jit_compile=jit_compile)
    def differentiate(weights, data):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = objective(model, weights, data)
        return value, tape.gradient(value, weights)

    return differentiate


def _flat(gradients):
    return np.concatenate([np.ravel(g) for g in gradients])


def _weights(model, dtype="float64"):
    return [tf.constant(v.numpy(), dtype) for v in model.trainable_variables]


def _error_against_central_differences(objective, model):
    """Largest relative error of the gradient along a few random directions."""
    data = [tf.constant(d) for d in _regression()]
    weights = _weights(model)
    differentiate = _differentiator(objective, model)
    gradient = _flat(differentiate(weights, data)[1])
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(4):
        direction = [rng.normal(size=w.shape) for w in weights]
        length = np.linalg.norm(_flat(direction))
        direction = [d / length for d in direction]

        def slope(step, direction=direction):
            above, below = (
                differentiate(
                    [w + s * d for w, d in zip(weights, direction, strict=True)],
                    data,
                )[0].numpy()
                for s in (step, -step)
            )
            return (above - below) / (2 * step)

        # Richardson's extrapolation removes the error of second order.
        expected = (4 * slope(1e-4) - slope(2e-4)) / 3
        errors.append(abs(gradient @ _flat(direction) - expected))
    return max(errors) / np.linalg.norm(gradient)


@pytest.mark.parametrize("rank", [4, 2])
def test_second_derivative_matches_central_differences(rank):
    model = _network(BatchNormalization, "float64", rank)
    assert _error_against_central_differences(_first_order, model) < 1e-8
    assert _error_against_central_differences(_loss_after_a_step, model) < 1e-8


def test_keras_layer_has_wrong_second_derivatives():
    """Why this layer exists. Should this fail, Keras has been mended."""
    model = _network(keras.layers.BatchNormalization, "float64")
    assert _error_against_central_differences(_first_order, model) < 1e-8
    assert _error_against_central_differences(_loss_after_a_step, model) > 1e-3


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("objective", [_first_order, _loss_after_a_step])
def test_fused_float32_agrees_with_composite_float64(objective, jit_compile):
    exact = _network(BatchNormalization, "float64")
    fused = _network(BatchNormalization, "float32")
    data = _regression()
    expected, expected_gradient = _differentiator(objective, exact)(
        _weights(exact), [tf.constant(d, tf.float64) for d in data]
    )
    value, gradient = _differentiator(objective, fused, jit_compile)(
        _weights(exact, "float32"), [tf.constant(d, tf.float32) for d in data]
    )
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    expected_gradient = _flat(expected_gradient)
    error = np.linalg.norm(_flat(gradient) - expected_gradient)
    assert error < 1e-5 * np.linalg.norm(expected_gradient)
