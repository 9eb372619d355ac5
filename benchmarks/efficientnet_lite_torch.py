"""Logits of EfficientNet-Lite in PyTorch, the network that the weights were made for.

Run by `efficientnet_lite_logits.py` in a process of its own, which needs torch and
efficientnet-lite-pytorch and neither TensorFlow nor tfmeta.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet


def main(name: str, weights: str, pictures: str, logits: str) -> None:
    """Writes logits `(batch, 1000)` of uint8 pictures `(batch, size, size, 3)`."""
    network = EfficientNet.from_pretrained(name.replace("_", "-"), weights_path=weights)
    network.eval()
    scaled = (np.load(pictures).astype(np.float32) - 127) / 128
    with torch.no_grad():
        found = network(torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy()))
    np.save(logits, found.numpy())
    print(torch.__version__, file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
