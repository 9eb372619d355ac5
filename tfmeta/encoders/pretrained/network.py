"""What a pre-trained network is: the model inside an encoder and what it expects."""

from __future__ import annotations

import dataclasses

import keras


@dataclasses.dataclass(frozen=True)
class Network:
    """A pre-trained network of pictures, before it becomes an encoder.

    Args:
        model: From preprocessed pictures `(batch, height, width, 3)` to maps or to
            vectors.
        preprocessing: From RGB pictures of raw pixels, 0 to 255, to what the model
            takes; `None` where the model takes raw pixels.
        size: Height and width of the pictures; `None` for their own.
        data: Name of the data it was pre-trained on, or `None`.
    """

    model: keras.Model
    preprocessing: keras.layers.Layer | None
    size: int | None
    data: str | None
