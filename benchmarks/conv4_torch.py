"""Conv4 in PyTorch, layer by layer the network of `tfmeta.encoders.Conv4`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

BLOCKS = 4
FILTERS = 64


def conv4(*, running_statistics: bool = True) -> nn.Sequential:
    """Pictures `(batch, 1, height, width)` in [0, 1] to vectors of 64 numbers.

    Args:
        running_statistics: Whether batch normalization keeps moving averages.
            Without them it always normalizes with the statistics of the batch.
    """
    layers: list[nn.Module] = []
    for block in range(BLOCKS):
        channels = 1 if block == 0 else FILTERS
        layers += [
            nn.Conv2d(channels, FILTERS, 3, padding=1, bias=False),
            nn.BatchNorm2d(
                FILTERS,
                eps=1e-3,
                momentum=0.1,
                track_running_stats=running_statistics,
            ),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers, nn.Flatten())


def set_kernels(network: nn.Sequential, kernels: Sequence[np.ndarray]) -> None:
    """Sets the convolutions from arrays `(3, 3, channels, filters)`."""
    convolutions = [m for m in network if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        for layer, kernel in zip(convolutions, kernels, strict=True):
            layer.weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))


def set_normalization(
    network: nn.Sequential, statistics: Sequence[Sequence[np.ndarray]]
) -> None:
    """Sets each batch normalization from `(gamma, beta, mean, variance)`."""
    layers = [m for m in network if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for layer, values in zip(layers, statistics, strict=True):
            parts = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
            for part, value in zip(parts, values, strict=True):
                assert part is not None
                part.copy_(torch.from_numpy(value))
