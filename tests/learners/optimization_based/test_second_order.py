"""Encoders that are mended for an inner loop, refused, or left alone."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.learners.encoder_check import check_encoder
from tfmeta.learners.optimization_based.reached_layers import reached_layers
from tfmeta.learners.optimization_based.second_order import (
    check_jit_compile,
    prepare_encoder,
)
from tfmeta.testing.subject import precision

L = keras.layers


@keras.saving.register_keras_serializable(package="test_second_order")
class Subclassed(keras.Model):
    """A model with a `call` of its own."""

    def __init__(self, normalization=False, **kwargs):
        super().__init__(**kwargs)
        self.normalization = L.BatchNormalization() if normalization else None
        self.dense = L.Dense(4, name="own_dense")

    def call(self, x):
        x = self.dense(x)
        return x if self.normalization is None else self.normalization(x)

    def get_config(self):
        return {
            **super().get_config(),
            "normalization": self.normalization is not None,
        }


class Recurrent(keras.Model):
    """A model with a `call` of its own that reads sequences."""

    def __init__(self):
        super().__init__()
        self.recurrent = L.GRU(3)

    def call(self, x):
        return self.recurrent(x)


@keras.saving.register_keras_serializable(package="test_second_order")
class OwnNormalization(L.LayerNormalization):
    """Nobody knows what its derivatives are."""

    def call(self, x):
        return x / (1.0 + keras.ops.std(x, -1, keepdims=True))


def in_row(*layers, shape=(6,), name="mine"):
    return keras.Sequential([keras.Input(shape), *layers], name=name)


def nested():
    inner = in_row(L.Dense(4), L.BatchNormalization(momentum=0.7), name="inner")
    inputs = keras.Input((6,))
    x = Subclassed(name="own")(inner(inputs))
    x = L.BatchNormalization(name="outer", epsilon=0.01, trainable=False)(x)
    x = keras.ops.tanh(L.Reshape((2, 2))(x))
    x = L.TimeDistributed(L.BatchNormalization(name="wrapped"))(x)
    return keras.Model(inputs, L.Flatten()(x), name="mine")


def randomize(encoder):
    rng = np.random.default_rng(0)
    encoder.set_weights([0.5 + rng.random(w.shape) for w in encoder.get_weights()])


@pytest.mark.parametrize("first_order", [False, True])
def test_keras_batch_normalization_is_replaced(first_order):
    encoder = nested()
    encoder.layers[1].layers[0].trainable = False
    randomize(encoder)
    with pytest.warns(UserWarning, match="outer.*wrapped") as found:
        copy = prepare_encoder(encoder, first_order=first_order)
    message = str(found[0].message)
    assert len(found) == 1 and "copy of 'mine'" in message and "yours" in message
    assert "tfmeta.layers.BatchNormalization" in message

    assert copy is not encoder and type(copy) is type(encoder)
    layers = [model._flatten_layers() for model in (encoder, copy)]
    for own, new in zip(*layers, strict=True):
        assert (own.name, own.trainable) == (new.name, new.trainable)
    kinds = [k for k in layers[1] if isinstance(k, L.BatchNormalization)]
    assert [type(k) for k in kinds] == [tfmeta.layers.BatchNormalization] * 3
    assert {k.momentum for k in kinds} == {0.7, 0.99}
    assert {k.epsilon for k in kinds} == {0.01, 0.001}
    for own, new in zip(encoder.weights, copy.weights, strict=True):
        np.testing.assert_array_equal(own, new)
    x = np.random.default_rng(1).normal(size=(5, 6)).astype("float32")
    for training in (False, True):
        np.testing.assert_allclose(
            copy(x, training=training), encoder(x, training=training), atol=1e-5
        )
    assert check_encoder(copy) is copy
    assert prepare_encoder(copy, first_order=first_order) is copy


def test_a_right_encoder_is_left_alone():
    for encoder in (
        tfmeta.encoders.Conv4((16, 16, 1), filters=4),
        in_row(L.Dense(4), OwnNormalization(), L.Dense(3)),
        in_row(Subclassed(), L.ReLU()),
    ):
        for first_order in (False, True):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert prepare_encoder(encoder, first_order=first_order) is encoder


@pytest.mark.parametrize("argument", ["synchronized", "renorm"])
def test_what_ours_does_not_have_is_refused(argument):
    encoder = in_row(L.Dense(3), L.BatchNormalization(name="norm", **{argument: True}))
    with pytest.raises(ValueError, match=f"Received: layer 'norm' with {argument}"):
        prepare_encoder(encoder, first_order=True)


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: in_row(x, L.Dense(2))])
@pytest.mark.parametrize("first_order", [False, True])
def test_inside_a_call_of_ones_own_nothing_can_be_replaced(wrap, first_order):
    own = Subclassed(normalization=True)
    own(np.zeros((2, 6), "float32"))
    with pytest.raises(ValueError, match="functional or seq.*'batch_normalization"):
        prepare_encoder(wrap(own), first_order=first_order)


@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", "mixed_float16", "bfloat16", "float16"]
)
def test_half_precision_is_replaced_for_second_order_alone(policy):
    encoder = tfmeta.encoders.Conv4((16, 16, 1), filters=4, dtype=policy)
    assert prepare_encoder(encoder, first_order=True) is encoder
    with pytest.warns(UserWarning, match=f"policy {policy}, too coarse.*%") as found:
        copy = prepare_encoder(encoder, first_order=False)
    assert len(found) == 1
    layers = copy._flatten_layers()[1:]
    assert {layer.dtype_policy.name for layer in layers} == {"float32"}
    assert {weight.dtype for weight in copy.weights} == {"float32"}
    for own, new in zip(encoder.weights, copy.weights, strict=True):
        np.testing.assert_array_equal(tf.cast(own.value, "float32"), new)
    x = np.random.default_rng(0).random((3, 16, 16, 1)) * 255
    np.testing.assert_allclose(
        copy(x), tf.cast(encoder(x), "float32"), rtol=0.1, atol=0.1
    )
    assert check_encoder(copy) is copy


def test_half_precision_inside_a_wrapper_is_replaced():
    encoder = in_row(
        L.Bidirectional(L.GRU(2, dtype="mixed_bfloat16"), dtype="mixed_bfloat16"),
        shape=(3, 2),
    )
    with pytest.warns(UserWarning, match="bfloat16"):
        copy = prepare_encoder(encoder, first_order=False)
    layers = copy._flatten_layers()[1:]
    assert {layer.compute_dtype for layer in layers} == {"float32"}


def test_cudnn_is_left_out_where_there_is_a_gpu(monkeypatch):
    encoder = in_row(
        L.Bidirectional(L.LSTM(2, return_sequences=True)),
        L.GRU(3, name="last"),
        shape=(3, 2),
    )
    randomize(encoder)
    assert prepare_encoder(encoder, first_order=False) is encoder
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert prepare_encoder(encoder, first_order=True) is encoder
    with pytest.warns(UserWarning, match="'last'.*cuDNN"):
        copy = prepare_encoder(encoder, first_order=False)
    x = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    np.testing.assert_allclose(copy(x), encoder(x), rtol=1e-6)
    assert not any(
        layer.use_cudnn
        for layer in copy._flatten_layers()
        if hasattr(layer, "unroll") and hasattr(layer, "use_cudnn")
    )
    unrolled = in_row(L.GRU(3, unroll=True), shape=(3, 2))
    assert prepare_encoder(unrolled, first_order=False) is unrolled

    own = Recurrent()
    own(x)
    with pytest.warns(UserWarning, match="use_cudnn=False or unroll=True"):
        assert prepare_encoder(own, first_order=False) is own


REFUSED = {
    "LayerNormalization": (lambda: L.LayerNormalization(name="bad"), "RMSNorm"),
    "GroupNormalization": (lambda: L.GroupNormalization(2, name="bad"), "RMSNorm"),
    "SpectralNormalization": (
        lambda: L.SpectralNormalization(L.Dense(3), name="bad"),
        "wrapped layer",
    ),
    "Activation": (lambda: L.Activation("softsign", name="bad"), "softsign.*tanh"),
    "Dense": (lambda: L.Dense(3, "softsign", name="bad"), "softsign.*tanh"),
    "TimeDistributed": (
        lambda: in_row(
            L.Reshape((2, 2)),
            L.TimeDistributed(L.LayerNormalization(name="bad")),
            shape=(4,),
        ),
        "RMSNorm",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_wrong_layers_are_refused(name):
    make, instead = REFUSED[name]
    encoder = in_row(L.Dense(4), make())
    with pytest.raises(ValueError, match=f"{instead}.*first_order.*layer 'bad'"):
        prepare_encoder(encoder, first_order=False)
    assert prepare_encoder(encoder, first_order=True) is encoder


def test_a_subclass_that_normalizes_as_keras_does_is_refused():
    @keras.saving.register_keras_serializable(package="test_second_order")
    class Renamed(L.BatchNormalization):
        pass

    encoder = in_row(L.Dense(4), Renamed(name="bad"))
    with pytest.raises(ValueError, match="tfmeta.layers.*Received: layer 'bad'"):
        prepare_encoder(encoder, first_order=False)


def test_before_the_first_weights_nothing_is_wrong():
    before = [L.Resizing(4, 4), L.RandomTranslation(0.1, 0.1), L.MaxPooling2D()]
    encoder = in_row(*before, L.Conv2D(2, 2), shape=(8, 8, 1))
    assert prepare_encoder(encoder, first_order=False) is encoder
    check_jit_compile(encoder, first_order=False)
    encoder = in_row(L.Conv2D(2, 2, trainable=False), *before[:1], shape=(8, 8, 1))
    assert prepare_encoder(encoder, first_order=False) is encoder

    for resize in (L.Resizing, L.UpSampling2D):
        kwargs = {"interpolation": "bilinear", "name": "bad"}
        size = (4, 4) if resize is L.Resizing else (2,)
        encoder = in_row(L.Conv2D(2, 2), resize(*size, **kwargs), shape=(8, 8, 1))
        with pytest.raises(ValueError, match="Received: layer 'bad'"):
            prepare_encoder(encoder, first_order=False)


def test_reached_layers_follow_the_graph():
    inputs = keras.Input((6,))
    weighted = L.Dense(6, name="weighted")(inputs)
    bare = L.ReLU(name="bare")(inputs)
    behind = L.ReLU(name="behind")(weighted)
    inner = in_row(L.ReLU(name="in"), L.Dense(6, name="inner_dense"), name="nested")
    both = L.Add(name="both")([bare, inner(behind)])
    own = Subclassed(name="own")
    shared = L.ReLU(name="shared")
    outputs = [own(both), shared(bare), shared(own(bare))]
    model = keras.Model(inputs, L.Concatenate(name="end")(outputs))
    names = {layer.name for layer in reached_layers(model)}
    assert names - {own.dense.name} == {
        *("behind", "in", "inner_dense", "both", "own", "shared", "end"),
    }
    assert own.dense in reached_layers(model)

    own.build((None, 6))
    assert reached_layers(own) == [own.dense]


@pytest.mark.parametrize("kind", [L.MaxPooling2D, L.AdaptiveMaxPooling2D])
def test_maximum_pooling_is_refused_under_xla(kind):
    encoder = in_row(L.Conv2D(2, 2), kind(2, name="bad"), shape=(8, 8, 1))
    check_jit_compile(encoder, first_order=True)
    message = f"jit_compile=True, layer 'bad' .{kind.__name__}"
    with pytest.raises(ValueError, match=message):
        check_jit_compile(encoder, first_order=False)
    encoder = in_row(L.Conv2D(2, 2), L.GlobalMaxPooling2D(), shape=(8, 8, 1))
    check_jit_compile(encoder, first_order=False)


def test_a_copy_made_under_a_half_policy_rounds_nothing():
    with precision("mixed_bfloat16"):
        encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        with pytest.warns(UserWarning, match="bfloat16"):
            copy = prepare_encoder(encoder, first_order=False)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert copy.compute_dtype == "float32"
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    expected = x @ copy.get_weights()[0]
    np.testing.assert_allclose(copy(x), expected, rtol=1e-5, atol=1e-6)
