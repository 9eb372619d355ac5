import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.encoders.stacked import stacked
from tfmeta.layers import TermCounts


@pytest.mark.parametrize("dtype", ["string", "float32", "uint8"])
def test_it_takes_what_the_first_model_takes(dtype, tmp_path):
    inputs = keras.Input(() if dtype == "string" else (2,), dtype=dtype)
    if dtype == "string":
        first = TermCounts(["\tred", "\tfox"], np.ones(2), character_ngrams=None)
        examples = tf.constant(["red fox"])
    else:
        first, examples = keras.layers.Dense(2), np.array([[1, 2]], dtype)
    first = keras.Model(inputs, first(inputs))
    behind = keras.layers.Dense(3)
    model = stacked(first, behind, name="whole")
    (taken,) = model.inputs
    assert (model.name, taken.dtype, model.output_shape) == ("whole", dtype, (None, 3))
    assert model.layers == [first, behind]
    wanted = behind(first(examples))
    np.testing.assert_array_equal(model(examples), wanted)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.inputs[0].dtype == dtype
    np.testing.assert_array_equal(loaded(examples), wanted)
