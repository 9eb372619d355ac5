"""Encoders that would be lost after hours of training are refused at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.encoders import Conv4
from tfmeta.learners import PrototypicalNetwork
from tfmeta.learners.encoder_check import check_encoder

pytestmark = pytest.mark.parametrize(
    "check", [check_encoder, PrototypicalNetwork], ids=["check", "learner"]
)


class Unregistered(keras.layers.Layer):
    """A layer that no other process would find."""

    def call(self, inputs):
        return 2.0 * inputs


@keras.saving.register_keras_serializable(package="test_encoder_check")
class Forgetful(keras.layers.Layer):
    """A registered layer that needs an argument which its config lacks."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return keras.layers.Layer().get_config()


@keras.saving.register_keras_serializable(package="test_encoder_check")
class LosesWeights(keras.Model):
    """Gets its layers after it was made, which its config does not tell."""

    def __init__(self, **options):
        super().__init__(**options)
        self.parts = []

    def add(self, layer):
        self.parts.append(layer)
        return self

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


@keras.saving.register_keras_serializable(package="test_encoder_check")
class OtherShape(keras.Model):
    """Forgets how wide it was made."""

    def __init__(self, width=2, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(width)

    def call(self, inputs):
        return self.dense(inputs)

    def get_config(self):
        return {}


@keras.saving.register_keras_serializable(package="test_encoder_check")
class Faithful(OtherShape):
    """As it should be."""

    def __init__(self, width=2, **options):
        super().__init__(width, **options)
        self.width = width

    def get_config(self):
        return {"width": self.width}


def sequential(*layers):
    return keras.Sequential([keras.Input((4,)), *layers])


def wrapped(model):
    inputs = keras.Input((4,))
    return keras.Model(inputs, model(inputs))


def functional():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(3)(inputs))


@pytest.mark.parametrize(
    "make",
    [
        functional,
        lambda: sequential(keras.layers.Dense(3)),
        lambda: Conv4((16, 16, 1), filters=2),
        lambda: wrapped(Faithful(5)),
    ],
    ids=["functional", "sequential", "conv4", "subclass"],
)
def test_what_can_be_loaded_passes(check, make):
    encoder = make()
    before = encoder.get_weights()
    check(encoder)
    assert all(
        (a == b).all() for a, b in zip(before, encoder.get_weights(), strict=True)
    )


@pytest.mark.parametrize(
    ("encoder", "received"),
    [(keras.layers.Dense(3), "Dense"), (None, "NoneType"), (abs, "builtin")],
    ids=["layer", "none", "function"],
)
def test_not_a_model(check, encoder, received):
    with pytest.raises(TypeError, match=f"must be a keras.Model .*: {received}"):
        check(encoder)


def test_unbuilt(check):
    encoder = keras.Sequential([keras.layers.Dense(3)], name="not_yet")
    with pytest.raises(ValueError, match="must be built.*'not_yet', which has no"):
        check(encoder)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sequential(Unregistered()), "register_keras_serializable.*Unreg"),
        (lambda: sequential(Forgetful(2.0)), "`get_config`.*factor"),
        (
            lambda: sequential(keras.layers.Lambda(lambda x: 2.0 * x)),
            "Lambda layers cannot be loaded in safe mode",
        ),
    ],
    ids=["unregistered", "forgetful", "lambda"],
)
def test_what_cannot_be_loaded(check, make, message):
    with pytest.raises(ValueError, match=f"(?s)could not be loaded again.*{message}"):
        check(make())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: wrapped(LosesWeights().add(keras.layers.Dense(3))),
            "with 2 weight arrays, rebuilt with 0",
        ),
        (lambda: wrapped(OtherShape(5)), "with 2 weight arrays.*other shapes"),
    ],
    ids=["loses weights", "other shape"],
)
def test_what_comes_back_different(check, make, message):
    with pytest.raises(ValueError, match=f"same weights.*{message}.*in `build`"):
        check(make())


def test_a_subclassed_model_is_wrapped(check, tmp_path):
    encoder = Faithful(5)
    examples = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    expected = encoder(examples)
    usable = check(encoder)
    if isinstance(usable, PrototypicalNetwork):
        usable.compile()
        usable.save(tmp_path / "learner.keras")
        usable = keras.saving.load_model(tmp_path / "learner.keras").encoder
    assert usable.output_shape == (None, 5)
    np.testing.assert_array_equal(usable(examples), expected)


def test_a_model_of_two_inputs_is_refused(check):
    class TwoInputs(keras.Model):
        def call(self, inputs):
            return inputs["a"] + inputs["b"]

    encoder = TwoInputs()
    encoder({"a": keras.ops.ones((1, 4)), "b": keras.ops.ones((1, 4))})
    with pytest.raises(ValueError, match="(?s)must take one tensor.*Wrap.*two_inputs"):
        check(encoder)


def _dense(shape=(3,), units=4):
    inputs = keras.Input(shape)
    return inputs, keras.layers.Dense(units)(inputs)


def _two_inputs():
    (a, first), (b, second) = _dense(), _dense()
    return keras.Model([a, b], keras.layers.Concatenate()([first, second]))


def _two_outputs():
    inputs, outputs = _dense()
    return keras.Model(inputs, [outputs, 2.0 * outputs])


def _named_output():
    inputs, outputs = _dense()
    return keras.Model(inputs, {"embedding": outputs})


def _whole_numbers():
    inputs, outputs = _dense()
    return keras.Model(inputs, keras.ops.cast(outputs, "int32"))


def _one_for_all():
    inputs, outputs = _dense()
    return keras.Model(inputs, keras.ops.mean(outputs, axis=0, keepdims=True))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_two_inputs, r"must map one tensor to one tensor.* 2 inputs and 1 outputs"),
        (_two_outputs, r"must map one tensor to one tensor.* 1 inputs and 2 outputs"),
        (_named_output, r"1 inputs and a dict of 1 outputs"),
        (_whole_numbers, r"must give floating-point numbers.* gives int32"),
        (_one_for_all, r"one embedding for each example.* gives 1 for any batch"),
    ],
)
def test_what_no_signature_could_serve_is_refused(check, make, message):
    with pytest.raises(ValueError, match=message):
        check(make())


@keras.saving.register_keras_serializable(package="test_encoder_check")
class TakesTexts(keras.Model):
    """Subclassed, so that nobody knows that it takes strings."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(4)

    def call(self, inputs):
        return self.dense(tf.cast(tf.strings.length(inputs), tf.float32))


def test_a_subclassed_model_of_another_dtype_is_named(check):
    encoder = TakesTexts()
    encoder(tf.constant([["a"], ["b"]]))
    with pytest.raises(ValueError, match="functional model that says what it takes"):
        check(encoder)
