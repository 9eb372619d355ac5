"""The encoder of a run that leaves what a picture or an array holds as it is."""

from __future__ import annotations

import keras

from tfmeta.encoders import Pixels


def unchanged(
    shape: tuple[int, ...],
    *,
    filters: int,
    seed: int,
    flatten: bool = True,
    rescale: float | None = 1 / 255,
) -> keras.Model:
    """The numbers themselves, whatever `filters` and `seed` are.

    Args:
        shape: Shape of an example.
        filters: Of learners that have convolutions of their own.
        seed: As every encoder takes one.
        flatten: As for `tfmeta.encoders.Pixels`.
        rescale: Likewise.
    """
    return Pixels(shape, flatten=flatten, rescale=rescale)
