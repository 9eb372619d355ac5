"""Which layers of Keras have right second derivatives, and what is mended."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.learners.optimization_based.second_order import (
    check_jit_compile,
    prepare_encoder,
)
from tfmeta.testing.subject import precision

L = keras.layers
SEED = keras.initializers.GlorotUniform(1)


def meta_objective(encoder, values, x, target):
    """The loss after one gradient step, as a function of the first values."""
    moving = [v.value for v in encoder.non_trainable_variables]

    def loss(values):
        out, _ = encoder.stateless_call(values, moving, x, training=True)
        return tf.reduce_mean(tf.square(tf.cast(out, x.dtype) - target))

    with tf.GradientTape() as tape:
        tape.watch(values)
        inner = loss(values)
    gradients = tape.gradient(inner, values, unconnected_gradients="zero")
    moved = [v - 0.3 * g for v, g in zip(values, gradients, strict=True)]
    return loss(moved)


def error_of(layers, shape, step):
    """Relative error of the meta-gradient against central differences, float64."""
    with precision("float64"):
        encoder = keras.Sequential([keras.Input(shape), *layers(), L.Flatten()])
        rng = np.random.default_rng(0)
        x = tf.constant(rng.normal(size=(4, *shape)))
        target = tf.constant(rng.normal(size=(4, encoder.output_shape[1])))
        values = [
            tf.constant(v.numpy() + 0.1 * rng.normal(size=v.shape))
            for v in encoder.trainable_variables
        ]
        with tf.GradientTape() as tape:
            tape.watch(values)
            objective = meta_objective(encoder, values, x, target)
        gradients = tape.gradient(objective, values, unconnected_gradients="zero")
        directions = [tf.constant(rng.normal(size=v.shape)) for v in values]
        ends = [
            meta_objective(
                encoder,
                [v + s * step * d for v, d in zip(values, directions, strict=True)],
                x,
                target,
            )
            for s in (1.0, -1.0)
        ]
        numeric = float(ends[0] - ends[1]) / (2 * step)
        analytic = float(
            sum(
                tf.reduce_sum(g * d) for g, d in zip(gradients, directions, strict=True)
            )
        )
    return abs(numeric - analytic) / max(abs(numeric), 1e-3)


def dense_then(make):
    return lambda: [L.Dense(6, kernel_initializer=SEED), make(), L.Dense(3)]


def conv_then(make):
    return lambda: [L.Conv2D(4, 3, padding="same", kernel_initializer=SEED), make()]


SMOOTH_ACTIVATIONS = (
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "tanh",
    "sigmoid",
    "exponential",
    "mish",
    "softmax",
    "celu",
    "log_softmax",
)
KINKED_ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "soft_shrink",
)

SMOOTH = {
    "layer_normalization": dense_then(L.LayerNormalization),
    "rms_normalization": dense_then(L.RMSNormalization),
    "unit_normalization": dense_then(L.UnitNormalization),
    "group_normalization": dense_then(lambda: L.GroupNormalization(2)),
    "tfmeta_batch_normalization": dense_then(tfmeta.layers.BatchNormalization),
    "tfmeta_batch_normalization_conv": conv_then(tfmeta.layers.BatchNormalization),
    "depthwise": conv_then(lambda: L.DepthwiseConv2D(3)),
    "separable": conv_then(lambda: L.SeparableConv2D(3, 3)),
    "transposed": conv_then(lambda: L.Conv2DTranspose(2, 3)),
    "average_pooling": conv_then(lambda: L.AveragePooling2D(2)),
    "global_average_pooling": conv_then(L.GlobalAveragePooling2D),
    "upsampling": conv_then(L.UpSampling2D),
    "lstm": lambda: [L.Reshape((3, 2)), L.Dense(4), L.LSTM(3, unroll=True)],
    "gru": lambda: [L.Reshape((3, 2)), L.Dense(4), L.GRU(3, unroll=True)],
    **{
        name: dense_then(lambda name=name: L.Activation(name))
        for name in SMOOTH_ACTIVATIONS
    },
}
KINKED = {
    "max_pooling": conv_then(L.MaxPooling2D),
    "global_max_pooling": conv_then(L.GlobalMaxPooling2D),
    "prelu": dense_then(L.PReLU),
    **{
        name: dense_then(lambda name=name: L.Activation(name))
        for name in KINKED_ACTIVATIONS
    },
}


def shape_of(name):
    with_pictures = ("conv", "pool", "depthwise", "separable", "transposed", "ups")
    return (4, 4, 2) if any(part in name for part in with_pictures) else (6,)


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_layers_that_are_right(name):
    assert error_of(SMOOTH[name], shape_of(name), 1e-5) < 1e-5


@pytest.mark.parametrize("name", KINKED)
def test_layers_with_kinks_that_are_right(name):
    # Tiny steps stay on one side of the kinks; rounding sets the floor.
    assert error_of(KINKED[name], shape_of(name), 1e-8) < 1e-5


def test_keras_batch_normalization_is_wrong():
    """Or prepare_encoder need not replace it any more."""
    assert error_of(dense_then(L.BatchNormalization), (6,), 1e-5) > 1e-3


def test_softsign_has_no_second_derivative():
    """TensorFlow says so by itself; nothing is silently wrong."""
    with pytest.raises(LookupError, match="SoftsignGrad"):
        error_of(dense_then(lambda: L.Activation("softsign")), (6,), 1e-5)


def with_stock_normalization():
    inner = keras.Sequential(
        [keras.Input((6,)), L.Dense(4), L.BatchNormalization(momentum=0.7)],
        name="inner",
    )
    inputs = keras.Input((6,))
    x = L.BatchNormalization(name="outer", epsilon=0.01)(inner(inputs))
    return keras.Model(inputs, x, name="mine")


def test_keras_batch_normalization_is_replaced():
    encoder = with_stock_normalization()
    rng = np.random.default_rng(0)
    encoder.set_weights([0.5 + rng.random(w.shape) for w in encoder.get_weights()])
    for first_order in (False, True):
        with pytest.warns(UserWarning, match="outer.*your") as found:
            copy = prepare_encoder(encoder, first_order=first_order)
        assert "batch_normalization" in str(found[0].message)
        assert copy is not encoder and copy.name == "mine"
        kinds = [
            layer
            for layer in copy._flatten_layers()
            if isinstance(layer, L.BatchNormalization)
        ]
        assert [type(k) for k in kinds] == [tfmeta.layers.BatchNormalization] * 2
        assert {k.momentum for k in kinds} == {0.7, 0.99}
        x = rng.normal(size=(5, 6)).astype("float32")
        for training in (False, True):
            np.testing.assert_allclose(
                copy(x, training=training), encoder(x, training=training), atol=1e-5
            )
        assert prepare_encoder(copy, first_order=False) is copy


def test_half_precision_is_replaced_for_second_order_alone():
    encoder = tfmeta.encoders.Conv4((16, 16, 1), filters=4, dtype="mixed_bfloat16")
    assert prepare_encoder(encoder, first_order=True) is encoder
    with pytest.warns(UserWarning, match="bfloat16, too coarse"):
        copy = prepare_encoder(encoder, first_order=False)
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    x = np.random.default_rng(0).random((3, 16, 16, 1)) * 255
    np.testing.assert_allclose(
        copy(x), tf.cast(encoder(x), tf.float32), rtol=0.1, atol=0.1
    )


def test_maximum_pooling_is_refused_under_xla():
    encoder = tfmeta.encoders.Conv4((16, 16, 1), filters=4)
    check_jit_compile(encoder, first_order=True)
    with pytest.raises(ValueError, match="jit_compile=True, layer .*MaxPooling2D"):
        check_jit_compile(encoder, first_order=False)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.normalization = L.BatchNormalization()

    def call(self, x):
        return self.normalization(x)


def test_a_subclassed_model_cannot_be_mended():
    encoder = Subclassed()
    encoder(np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match="functional or sequential"):
        prepare_encoder(encoder, first_order=False)
