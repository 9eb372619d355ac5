"""Convolutions as matrix products of patches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.layers.patch_convolution import convolve_patches, patch_convolutions


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["same", "valid"]),
    is_dynamic=st.booleans(),
)
def test_equals_the_convolution(size, kernel, stride, dilation, padding, is_dynamic):
    if stride > 1:
        dilation = 1  # as tf.nn.conv2d has it
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2, *size, 3))
    weights = tf.constant(rng.normal(size=(*kernel, 3, 4)))
    shape = [None, None, None, 3] if is_dynamic else inputs.shape

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float64)])
    def ours(inputs):
        return convolve_patches(
            inputs,
            weights,
            strides=(stride, stride),
            padding=padding,
            dilation=(dilation, dilation),
        )

    expected = tf.nn.conv2d(inputs, weights, stride, padding.upper(), "NHWC", dilation)
    np.testing.assert_allclose(ours(inputs), expected, atol=1e-12)


def make_model():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.Sequential([keras.layers.Conv2D(4, 3, activation="relu")]),
            keras.layers.Conv2D(4, 3, groups=2, padding="same"),
            keras.layers.Flatten(),
        ]
    )


def test_a_model_is_the_same_within_and_afterwards():
    model = make_model()
    inputs = np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype("f4")
    expected = model(inputs).numpy()

    def kinds(function):
        concrete = tf.function(function).get_concrete_function(
            tf.TensorSpec([3, 6, 6, 2])
        )
        return [operation.type for operation in concrete.graph.get_operations()]

    def within(inputs):
        with patch_convolutions(model):
            return model(inputs)

    np.testing.assert_allclose(within(inputs), expected, atol=1e-5)
    # The one with groups stays, which Keras puts into a function of its own.
    assert kinds(model).count("Conv2D") == 1
    assert kinds(within).count("Conv2D") == 0
    assert kinds(within).count("StatefulPartitionedCall") == 1
    assert kinds(model).count("StatefulPartitionedCall") == 1


@pytest.mark.parametrize("active", [True, False])
def test_maps_over_kernels_without_a_loop(active):
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), keras.layers.Conv2D(4, 3, use_bias=False)]
    )
    kernels = tf.random.stateless_normal([5, 3, 3, 2, 4], [0, 0])
    inputs = tf.random.stateless_normal([5, 3, 6, 6, 2], [0, 1])

    def convolve(both):
        kernel, own = both
        with patch_convolutions(model, active=active):
            return model.stateless_call([kernel], [], own)[0]

    @tf.function
    def together():
        return tf.vectorized_map(convolve, (kernels, inputs))

    expected = [
        tf.nn.conv2d(x, k, 1, "VALID") for x, k in zip(inputs, kernels, strict=True)
    ]
    np.testing.assert_allclose(together(), tf.stack(expected), atol=1e-5)
    graph = together.get_concrete_function().graph
    loops = [o for o in graph.get_operations() if "While" in o.type]
    assert bool(loops) != active
