"""The rule for the dtype that an export takes."""

import keras
import pytest
import tensorflow as tf

from tfmeta.encoders import Conv4
from tfmeta.signatures.example_spec import example_spec


def encoder(shape, *layers, dtype="float32"):
    inputs = keras.Input(shape, dtype=dtype)
    x = inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Flatten()(x))


def nested():
    preprocessing = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Rescaling(2)]
    )
    return encoder((8, 8, 3), preprocessing)


def sequential():
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(2), keras.layers.Flatten()]
    return keras.Sequential(layers)


@pytest.mark.parametrize(
    ("build", "input_dtype", "shape", "dtype", "float_too"),
    [
        (Conv4, None, (28, 28, 1), "uint8", True),
        (Conv4, "uint8", (28, 28, 1), "uint8", True),
        (Conv4, "float32", (28, 28, 1), "float32", False),
        (Conv4, "float16", (28, 28, 1), "float16", False),
        (lambda: Conv4(rescale=None), None, (28, 28, 1), "float32", False),
        (lambda: Conv4(rescale=None), "uint8", (28, 28, 1), "uint8", True),
        (lambda: Conv4(dtype="mixed_bfloat16"), None, (28, 28, 1), "uint8", True),
        (lambda: Conv4(dtype="float64"), None, (28, 28, 1), "uint8", True),
        (nested, None, (8, 8, 3), "uint8", True),
        (sequential, None, (8, 8, 1), "uint8", True),
        (
            lambda: encoder(
                (None, None, 3),
                keras.layers.Normalization(mean=[1.0] * 3, variance=[2.0] * 3),
                keras.layers.GlobalAveragePooling2D(),
            ),
            None,
            (None, None, 3),
            "uint8",
            True,
        ),
        # No picture: the numbers may be anything.
        (
            lambda: encoder((5,), keras.layers.Rescaling(2)),
            None,
            (5,),
            "float32",
            False,
        ),
        (lambda: encoder((5,), dtype="int32"), None, (5,), "int32", False),
        # Floats would be truncated on their way in.
        (
            lambda: encoder((4, 4, 1), keras.layers.Rescaling(2), dtype="uint8"),
            None,
            (4, 4, 1),
            "uint8",
            False,
        ),
    ],
)
def test_rule(build, input_dtype, shape, dtype, float_too):
    spec = example_spec(build(), input_dtype)
    assert (spec.shape, spec.dtype.name, spec.float_too) == (shape, dtype, float_too)
    assert spec.value_range == ([0, 255] if dtype == "uint8" else None)


@pytest.mark.parametrize("input_dtype", ["float32", "int64", "string"])
def test_dtypes_that_would_lose_numbers(input_dtype):
    tokens = encoder((5,), dtype="int32")
    with pytest.raises(ValueError, match=f"must be 'int32'.*{input_dtype}"):
        example_spec(tokens, input_dtype)


def test_text_and_unknown_dtypes():
    with pytest.raises(ValueError, match="input_dtype='string'"):
        example_spec(Conv4(), "string")
    with pytest.raises(TypeError, match="picture"):
        example_spec(Conv4(), "picture")


def test_encoders_without_one_input():
    two = [keras.Input((2,)), keras.Input((2,))]
    with pytest.raises(ValueError, match="with 2 inputs"):
        example_spec(keras.Model(two, keras.layers.Add()(two)), None)

    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    model = Subclassed()
    model(tf.zeros((1, 3)))
    with pytest.raises(ValueError, match="Subclassed with 0 inputs"):
        example_spec(model, None)
