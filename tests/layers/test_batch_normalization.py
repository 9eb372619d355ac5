"""The statistics, the agreement with Keras and the cases at the edge."""

import subprocess
import sys

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import BatchNormalization


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    axis=st.integers(-4, 4),
    dtype=st.sampled_from(["float32", "float64"]),
    center=st.booleans(),
    scale=st.booleans(),
    epsilon=st.sampled_from([1e-7, 1e-3]),
    seed=st.integers(0, 99),
)
def test_training_follows_the_definition(
    shape, axis, dtype, center, scale, epsilon, seed
):
    hypothesis.assume(-len(shape) < axis < len(shape) and axis != 0)
    rng = np.random.default_rng(seed)
    layer = BatchNormalization(
        axis, 0.7, epsilon, center=center, scale=scale, dtype=dtype
    )
    layer.build(shape)
    channels = shape[axis]
    gamma, beta = rng.normal(size=(2, channels))
    before = rng.uniform(1, 2, size=(2, channels))
    layer.set_weights([gamma] * scale + [beta] * center + list(before))
    inputs = rng.normal(3.0, 1.0, size=shape).astype(dtype)

    rows = np.moveaxis(inputs.astype("float64"), axis, -1).reshape(-1, channels)
    mean, variance = rows.mean(0), rows.var(0)
    expected = (rows - mean) / np.sqrt(variance + epsilon)
    expected = expected * (gamma if scale else 1.0) + (beta if center else 0.0)

    outputs = layer(inputs, training=True).numpy()
    outputs = np.moveaxis(outputs, axis, -1).reshape(-1, channels)
    exact = dtype == "float64"
    # A variance of 0 leaves rounding, magnified by 1 / sqrt(epsilon).
    tolerance = 1e-9 if exact else 5e-6 / np.sqrt(epsilon + variance.min())
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=tolerance)
    for moving, old, batch in (
        (layer.moving_mean, before[0], mean),
        (layer.moving_variance, before[1], variance),
    ):
        np.testing.assert_allclose(
            moving, 0.7 * old + 0.3 * batch, rtol=1e-12 if exact else 1e-5
        )


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        *(((8, 6, 6, 3), 1), ((8, 6), -1)),
        pytest.param((8, 6, 6, 3), -1, marks=pytest.mark.slow),
        pytest.param((8, 5, 4), -1, marks=pytest.mark.slow),
    ],
)
def test_fit_equals_keras(shape, axis):
    rng = np.random.default_rng(3)
    inputs = rng.normal(2.0, 3.0, size=(24, *shape[1:])).astype("float32")
    targets = rng.normal(size=(24, 2)).astype("float32")
    fitted = []
    for layer in (keras.layers.BatchNormalization, BatchNormalization):
        model = keras.Sequential(
            [
                keras.Input(shape[1:]),
                layer(axis=axis, momentum=0.8, name="normalization"),
                keras.layers.Flatten(),
                keras.layers.Dense(
                    2, kernel_initializer=keras.initializers.GlorotUniform(1)
                ),
            ]
        )
        model.compile(keras.optimizers.SGD(0.05), "mse")
        model.fit(inputs, targets, batch_size=8, epochs=3, shuffle=False, verbose=0)
        fitted.append([*model.get_weights(), model.predict(inputs, verbose=0)])
    for ours, theirs in zip(*fitted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3, 3, 5), (4, 5), (4, 3, 5)])
def test_masked_values_do_not_count(shape):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=shape)
    mask = rng.uniform(size=shape[:-1]) < 0.6
    layer = BatchNormalization(momentum=0.0, dtype="float64")
    outputs = layer(inputs, training=True, mask=mask).numpy()
    shown = inputs[mask]
    np.testing.assert_allclose(layer.moving_mean, shown.mean(0), rtol=1e-12)
    np.testing.assert_allclose(layer.moving_variance, shown.var(0), rtol=1e-12)
    np.testing.assert_allclose(
        outputs[mask],
        (shown - shown.mean(0)) / np.sqrt(shown.var(0) + layer.epsilon),
        rtol=1e-10,
    )
    changed = np.where(mask[..., None], inputs, 1e3)
    again = layer(changed, training=True, mask=mask).numpy()
    np.testing.assert_array_equal(again[mask], outputs[mask])

    before = layer.get_weights()
    nothing = layer(inputs, training=True, mask=np.zeros_like(mask))
    assert np.isfinite(nothing).all()
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("float32", (0, 3, 3, 2)),
        ("float64", (0, 3, 3, 2)),
        ("mixed_bfloat16", (0, 3, 3, 2)),
        ("float32", (0, 2)),
    ],
)
def test_empty_batch_changes_nothing(dtype, shape, jit_compile):
    layer = BatchNormalization(dtype=dtype, momentum=0.5)
    layer.build((None, *shape[1:]))
    layer.set_weights(np.random.default_rng(0).uniform(1, 2, size=(4, 2)))
    before = layer.get_weights()
    variables = [layer.gamma.value, layer.beta.value]

    @tf.function(
        jit_compile=jit_compile,
        input_signature=[tf.TensorSpec((None, *shape[1:]), layer.compute_dtype)],
    )
    def derivatives(inputs):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                outputs = layer(inputs, training=True)
                loss = tf.reduce_sum(tf.square(outputs))
            first = inner.gradient(loss, [*variables, inputs])
            slope = sum(
                tf.reduce_sum(tf.cast(tf.square(g), layer.variable_dtype))
                for g in first
            )
        return outputs, first[:2], outer.gradient(slope, variables)

    outputs, first, second = derivatives(tf.zeros(shape, layer.compute_dtype))
    assert outputs.shape == shape
    for gradient in (*first, *second):
        np.testing.assert_array_equal(gradient, [0.0, 0.0])
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    derivatives(tf.ones((2, *shape[1:]), layer.compute_dtype))
    assert (before[2] != layer.get_weights()[2]).all()


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_single_value_has_no_variance(dtype, jit_compile):
    layer = BatchNormalization(dtype=dtype, momentum=0.5)
    layer.build((1, 1, 1, 2))
    call = tf.function(lambda x: layer(x, training=True), jit_compile=jit_compile)
    outputs = call(tf.constant([[[[3.0, 5.0]]]], dtype))
    np.testing.assert_allclose(outputs, [[[[0.0, 0.0]]]], atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, [1.5, 2.5], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.5, 0.5], rtol=1e-6)


def test_inference_equals_keras():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(4, 3, 3, 5)).astype("float32")
    weights = rng.uniform(0.5, 2.0, size=(4, 5))
    outputs = []
    for cls in (keras.layers.BatchNormalization, BatchNormalization):
        layer = cls()
        layer.build(inputs.shape)
        layer.set_weights(weights)
        outputs.append(layer(inputs).numpy())
        layer.trainable = False
        # As in Keras: a frozen layer infers, even in training.
        np.testing.assert_array_equal(layer(inputs, training=True), outputs[-1])
        np.testing.assert_array_equal(layer.get_weights(), weights.astype("float32"))
        assert layer(inputs[:0]).shape == (0, 3, 3, 5)
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


def test_mixed_bfloat16_keeps_float32_statistics():
    rng = np.random.default_rng(0)
    layer = BatchNormalization(dtype="mixed_bfloat16", momentum=0.0)
    inputs = tf.cast(rng.normal(5.0, 2.0, size=(16, 4, 4, 3)), tf.bfloat16)
    outputs = layer(inputs, training=True)
    assert outputs.dtype == tf.bfloat16
    assert layer(inputs).dtype == tf.bfloat16
    rows = tf.cast(inputs, tf.float64).numpy().reshape(-1, 3)
    assert {v.dtype for v in layer.variables} == {"float32"}
    np.testing.assert_allclose(layer.moving_mean, rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, rows.var(0), rtol=1e-5)
    expected = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + layer.epsilon)
    # bfloat16 has 8 significant bits.
    np.testing.assert_allclose(
        tf.cast(outputs, tf.float32).numpy().reshape(-1, 3),
        expected,
        rtol=2**-8,
        atol=2**-9,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stateless_call_returns_the_update_without_gradient(dtype):
    inputs = np.random.default_rng(0).normal(1.0, 2.0, size=(6, 5, 5, 2))
    inputs = tf.constant(inputs, dtype)
    layer = BatchNormalization(dtype=dtype)
    layer.build(inputs.shape)
    trainable = [v.value for v in layer.trainable_variables]
    fixed = [tf.constant(v.numpy()) for v in layer.non_trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        _, updated = layer.stateless_call(trainable, fixed, inputs, training=True)
        total = tf.add_n([tf.reduce_sum(u) for u in updated])
    assert tape.gradient(total, inputs) is None
    for old, new, variable in zip(
        fixed, updated, layer.non_trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(variable, old)
        assert np.abs(new - old).min() > 0


def test_serialization_round_trip(tmp_path):
    layer = BatchNormalization(
        axis=2,
        momentum=0.9,
        epsilon=1e-5,
        center=False,
        gamma_regularizer="l2",
        name="normalization",
    )
    copy = BatchNormalization.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.epsilon == 1e-5 and not copy.center

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(6, 5, 5, 2)).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
            BatchNormalization(),
        ]
    )
    model.compile("adam", "mse")
    model.fit(inputs, rng.normal(size=(6, 3)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert sum(isinstance(part, BatchNormalization) for part in loaded.layers) == 2
    np.testing.assert_array_equal(
        loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0)
    )


@pytest.mark.parametrize("argument", ["synchronized", "renorm"])
def test_other_statistics_are_refused(argument):
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: {argument}=True"):
        BatchNormalization(**{argument: True})


def test_mask_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"`mask`.*Received: mask.shape=\(2, 3\)"):
        BatchNormalization()(np.ones((2, 3)), mask=np.ones((2, 3), bool))


REPLICAS = """
import numpy as np, keras, tensorflow as tf
from tfmeta.layers import BatchNormalization

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
inputs = np.random.default_rng(0).normal(size=(8, 4, 4, 3)).astype("float32")
inputs[4:] += 10
with strategy.scope():
    layer = BatchNormalization(momentum=0.0)
    model = keras.Sequential([keras.Input((4, 4, 3)), layer])
    model.compile("sgd", "mse")
model.fit(inputs, inputs, batch_size=8, shuffle=False, verbose=0)
moving = strategy.experimental_local_results(layer.moving_mean.value)
for part, value in zip((inputs[:4], inputs[4:]), moving, strict=True):
    np.testing.assert_allclose(value, part.mean((0, 1, 2)), rtol=1e-5)
"""


@pytest.mark.slow
def test_each_replica_has_its_own_statistics():
    # Logical devices must be set before TensorFlow starts.
    result = subprocess.run(
        [sys.executable, "-c", REPLICAS], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
