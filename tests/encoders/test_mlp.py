"""The multi-layer perceptron."""

import numpy as np
import pytest

from tfmeta.encoders import MLP


def test_outputs_by_hand():
    encoder = MLP((2, 3), units=(5, 4), activation="relu", seed=0)
    x = np.random.default_rng(0).normal(size=(7, 2, 3)).astype("float32")
    first, first_bias, second, second_bias = encoder.get_weights()
    hidden = np.maximum(x.reshape(7, 6) @ first + first_bias, 0)
    expected = np.maximum(hidden @ second + second_bias, 0)
    np.testing.assert_allclose(encoder(x), expected, atol=1e-5)


def test_a_seed_fixes_the_kernels_of_all_layers():
    first, again, other = (MLP((4,), units=(4, 4), seed=s) for s in (1, 1, 2))
    kernels = [m.get_weights()[::2] for m in (first, again, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.any(np.equal(kernels[0], kernels[2]))
    assert not np.any(kernels[0][0] == kernels[0][1])


@pytest.mark.parametrize("units", [(), (3, 0)])
def test_widths_are_positive(units):
    with pytest.raises(ValueError, match="`units`.*Received"):
        MLP((2,), units=units)
