"""The convolutional network for series."""

import numpy as np
import pytest

from tfmeta.encoders import MLP, SeriesFCN, standardized


def convolve(x, kernel):
    """Cross-correlation with as much padding as keeps the length, by loops."""
    length = len(kernel)
    before = (length - 1) // 2
    padded = np.pad(x, ((0, 0), (before, length - 1 - before), (0, 0)))
    return np.stack(
        [
            np.einsum("bkc,kcf->bf", padded[:, step : step + length], kernel)
            for step in range(x.shape[1])
        ],
        axis=1,
    )


def test_outputs_by_hand():
    encoder = SeriesFCN((11, 2), filters=3, seed=0)
    rng = np.random.default_rng(0)
    # Statistics and offsets that are not those of the start.
    weights = [
        rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w
        for w in encoder.get_weights()
    ]
    encoder.set_weights(weights)
    x = rng.normal(size=(4, 11, 2))
    named = {variable.path: variable.numpy() for variable in encoder.weights}
    expected = x
    for number in (1, 2, 3):
        expected = convolve(expected, named[f"convolution_{number}/kernel"])
        of = f"batch_normalization_{number}/"
        mean, variance = named[of + "moving_mean"], named[of + "moving_variance"]
        expected = (expected - mean) / np.sqrt(variance + 1e-3)
        expected = np.maximum(expected * named[of + "gamma"] + named[of + "beta"], 0)
    np.testing.assert_allclose(
        encoder(x.astype("float32")), expected.mean(axis=1), atol=1e-4
    )


def test_form():
    encoder = SeriesFCN((None, 2), filters=4, seed=0)
    shapes = [encoder(np.zeros((3, steps, 2), "float32")).shape for steps in (1, 30)]
    assert shapes == [(3, 4), (3, 4)]
    assert SeriesFCN((30, 2), filters=4, dtype="mixed_bfloat16").compute_dtype
    first, again, other = (SeriesFCN((9, 2), filters=2, seed=s) for s in (0, 0, 1))
    kernels = [model.get_weights()[0] for model in (first, again, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.any(kernels[0] == kernels[2])


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((5,), {}, "`input_shape`"),
        ((5, None), {}, "`input_shape`"),
        ((0, 2), {}, "`input_shape`"),
        ((5, 2), {"filters": 0}, "`filters`"),
    ],
)
def test_what_cannot_be(shape, arguments, message):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        SeriesFCN(shape, **arguments)


def test_standardized_numbers_go_into_the_encoder():
    rng = np.random.default_rng(1)
    examples = rng.normal([1e5, -3], [20, 1e-6], (30, 2))
    body = MLP((2,), units=(4,), seed=0)
    encoder = standardized(body, examples)
    assert encoder.name == "standardized_mlp" and encoder.inputs[0].dtype == "float64"
    scaled = (examples - examples.mean(axis=0)) / examples.std(axis=0)
    np.testing.assert_allclose(encoder(examples), body(scaled), atol=1e-4)
    assert standardized(body, examples - [1e5, -3]).inputs[0].dtype == "float32"
