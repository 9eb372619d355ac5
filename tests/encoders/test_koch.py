"""The network of the paper: shapes, parameters, beginnings, and the forward pass."""

import keras
import numpy as np
import pytest

from tfmeta.encoders import KochConvNet


def test_the_papers_network():
    encoder = KochConvNet(seed=0)
    assert encoder.input_shape == (None, 105, 105, 1)
    assert encoder.output_shape == (None, 4096)
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in encoder.layers}
    # Figure 4 of the paper.
    assert shapes["convolution_1"] == (96, 96, 64)
    assert shapes["max_pooling_1"] == (48, 48, 64)
    assert shapes["convolution_2"] == (42, 42, 128)
    assert shapes["max_pooling_2"] == (21, 21, 128)
    assert shapes["convolution_3"] == (18, 18, 128)
    assert shapes["max_pooling_3"] == (9, 9, 128)
    assert shapes["convolution_4"] == (6, 6, 256)
    assert shapes["flattening"] == (9216,)
    convolutions = (
        (100 + 1) * 64
        + (49 * 64 + 1) * 128
        + (16 * 128 + 1) * 128
        + (16 * 128 + 1) * 256
    )
    assert encoder.count_params() == convolutions + (9216 + 1) * 4096 == 38_947_648

    for layer in encoder.layers:
        if not layer.weights:
            continue
        kernel, bias = layer.get_weights()
        stddev = 0.2 if layer.name == "embedding" else 0.01
        assert abs(kernel.mean()) < 5 * stddev / np.sqrt(kernel.size)
        assert kernel.std() == pytest.approx(stddev, rel=0.05)
        assert bias.mean() == pytest.approx(0.5, abs=0.01)
        assert bias.std() == pytest.approx(0.01, rel=0.4)


def small(**options):
    return KochConvNet((65, 66, 1), filters=2, features=5, seed=3, **options)


def test_forward_pass_by_hand():
    encoder = small()
    rng = np.random.default_rng(0)
    encoder.set_weights([rng.normal(size=w.shape) * 0.1 for w in encoder.weights])
    pictures = rng.integers(0, 256, size=(2, 65, 66, 1), dtype="uint8")
    weights = iter(encoder.get_weights())
    x = pictures / 255.0
    for number in range(4):
        kernel, bias = next(weights), next(weights)
        side = kernel.shape[0]
        windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), (1, 2))
        x = np.maximum(np.einsum("nijcab,abcf->nijf", windows, kernel) + bias, 0)
        if number < 3:
            rows, columns = x.shape[1] // 2, x.shape[2] // 2
            x = x[:, : 2 * rows, : 2 * columns]
            x = x.reshape(2, rows, 2, columns, 2, -1).max((2, 4))
    assert x.shape == (2, 1, 1, 8)
    kernel, bias = next(weights), next(weights)
    expected = 1 / (1 + np.exp(-(x.reshape(2, -1) @ kernel + bias)))
    np.testing.assert_allclose(encoder(pictures), expected, rtol=1e-4)


def test_regularization_is_the_sum_of_squares():
    encoder = small(convolution_l2=0.5, dense_l2=0.25)
    *convolutions, dense = (w for w in encoder.get_weights() if w.ndim > 1)
    expected = 0.5 * sum(np.sum(k**2) for k in convolutions) + 0.25 * np.sum(dense**2)
    assert float(sum(encoder.losses)) == pytest.approx(expected, rel=1e-5)


def test_seed_fixes_every_weight(tmp_path):
    for first, second in zip(small().weights, small().weights, strict=True):
        np.testing.assert_array_equal(first, second)
    biases = [w.numpy() for w in small().weights if w.ndim == 1]
    assert not np.array_equal(biases[1], biases[2])
    small().save(tmp_path / "koch.keras")
    loaded = keras.saving.load_model(tmp_path / "koch.keras")
    pictures = np.ones((1, 65, 66, 1), "uint8")
    np.testing.assert_array_equal(loaded(pictures), small()(pictures))


def test_half_precision():
    encoder = small(dtype="mixed_bfloat16")
    assert {v.dtype for v in encoder.variables} == {"float32"}
    assert encoder(np.ones((1, 65, 66, 1))).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (28, 28, 1)}, r"`input_shape`.*65 pixels.*\(28, 28, 1\)"),
        ({"input_shape": (105, 64, 1)}, r"`input_shape`.*65 pixels.*\(105, 64, 1\)"),
        ({"input_shape": (105, 105)}, r"`input_shape`.*height"),
        ({"filters": 0}, "`filters`.*0"),
        ({"features": 0}, "`features`.*0"),
    ],
)
def test_what_does_not_go_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        KochConvNet(**arguments)
