"""Which layers of an encoder are trained: kept, and set as it was before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import keras

# Of `get_config`: flags of an encoder that was frozen, or set free, after its learner
# was made.
FLAGS_SINCE = "encoder_trainable"


def trainable_flags(model: keras.Model) -> list[bool]:
    """`trainable` of the model and of all layers in it, outer ones first."""
    return [layer.trainable for layer in model._flatten_layers()]


def set_trainable_flags(model: keras.Model, flags: Sequence[bool]) -> None:
    """Sets what `trainable_flags` gave for a model of the same layers."""
    # A layer sets those in it, which come later.
    for layer, flag in zip(list(model._flatten_layers()), flags, strict=True):
        layer.trainable = flag


@contextlib.contextmanager
def with_trainable_flags(model: keras.Model, flags: Sequence[bool]) -> Iterator[None]:
    """Sets flags, and in the end those of before."""
    before = trainable_flags(model)
    set_trainable_flags(model, flags)
    try:
        yield
    finally:
        set_trainable_flags(model, before)
