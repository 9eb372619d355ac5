"""The relation module on one pair of maps, in plain NumPy."""

import itertools

import numpy as np


def convolve(maps, kernel):
    """3 × 3, with a border of zeros; `(pairs, height, width, channels)`."""
    _, height, width, _ = maps.shape
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((*maps.shape[:3], kernel.shape[-1]))
    for row, column in itertools.product(range(height), range(width)):
        window = padded[:, row : row + 3, column : column + 3]
        out[:, row, column] = np.einsum("nhwc,hwcf->nf", window, kernel)
    return out


def block(maps, normalization, training):
    gamma, beta, mean, variance = (w.numpy() for w in normalization.weights)
    if training:
        mean, variance = maps.mean((0, 1, 2)), maps.var((0, 1, 2))
    maps = (maps - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    return np.maximum(maps, 0)


def pool(maps):
    pairs, height, width, channels = maps.shape
    if min(height, width) < 2:
        return maps
    height, width = height // 2, width // 2
    maps = maps[:, : 2 * height, : 2 * width]
    return maps.reshape(pairs, height, 2, width, 2, channels).max((2, 4))


def scores_of_pairs(module, class_maps, query_maps, *, training=False):
    """Of `(pairs, height, width, channels)` each; joined as in the paper."""
    layers = {layer.name: layer for layer in module.pair_layers}
    kernel = np.concatenate(
        [
            module.class_convolution.kernel.numpy(),
            module.query_convolution.kernel.numpy(),
        ],
        axis=2,
    )
    joined = np.concatenate([class_maps, query_maps], axis=-1)
    x = convolve(joined, kernel)
    x = pool(block(x, layers["batch_normalization_1"], training))
    x = convolve(x, layers["convolution_2"].kernel.numpy())
    x = pool(block(x, layers["batch_normalization_2"], training))
    x = x.reshape(len(x), -1)
    hidden, score = layers["hidden"], layers["score"]
    x = np.maximum(x @ hidden.kernel.numpy() + hidden.bias.numpy(), 0)
    return (x @ score.kernel.numpy() + score.bias.numpy())[:, 0]
