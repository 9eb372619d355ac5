"""Which examples an exported learner takes: their shape and dtype."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class ExampleSpec:
    """What one example of an exported learner looks like.

    Args:
        shape: Without the batch; `None` for a free size.
        dtype: What `embed` and `classify` take.
        float_too: Whether floats in the same range of values are taken as well,
            by an endpoint of their own.
    """

    shape: tuple[int | None, ...]
    dtype: tf.DType
    float_too: bool

    @property
    def value_range(self) -> list[int] | None:
        """Lowest and highest value, where the dtype says it."""
        pixels = self.dtype in (tf.uint8, tf.uint16)
        return [0, int(self.dtype.max)] if pixels else None


def example_spec(encoder: keras.Model, input_dtype: str | None) -> ExampleSpec:
    """The examples that an encoder should be served with.

    Args:
        encoder: A functional or sequential model with one input.
        input_dtype: The dtype, or `None` for the rule: `"uint8"` when the
            encoder takes examples of rank 3 (pictures) and holds a
            `keras.layers.Rescaling` or `keras.layers.Normalization`, or a layer that
            declares `takes_raw_pixels = True`, or of rank 2
            (grey pictures without an axis of channels) and holds a `Rescaling` of
            pixels, by 1/255 or 1/127.5: that is, when it expects raw pixels; else
            the dtype of the encoder's input.

    Returns:
        The specification.

    Raises:
        ValueError: When the encoder does not have exactly one input, or would
            have to truncate numbers of `input_dtype`.
        TypeError: When `input_dtype` is no dtype.
    """
    inputs = getattr(encoder, "inputs", None) or []
    if len(inputs) != 1:
        raise ValueError(
            "`learner.encoder` must be a functional or sequential keras.Model with "
            f"one input, so that a signature can be written. Received: "
            f"{encoder.name!r}, a {type(encoder).__name__} with {len(inputs)} inputs"
        )
    shape = tuple(inputs[0].shape[1:])
    own = tf.as_dtype(inputs[0].dtype)
    if input_dtype is not None:
        dtype = tf.as_dtype(input_dtype)
    elif own.is_floating and _takes_raw_pixels(encoder, len(shape)):
        dtype = tf.uint8
    else:
        dtype = own
    numbers = dtype.is_floating or dtype.is_integer or dtype.is_bool
    if dtype != own and not (own.is_floating and numbers):
        raise ValueError(
            f"`input_dtype` must be {own.name!r}, the dtype of the input of "
            f"{encoder.name!r}, which cannot hold others without loss. Received: "
            f"input_dtype={dtype.name!r}"
        )
    return ExampleSpec(shape, dtype, float_too=own.is_floating and dtype.is_integer)


def _takes_raw_pixels(encoder: keras.Model, rank: int) -> bool:
    layers = list(all_layers(encoder))
    if rank == 3:
        preprocessing = (keras.layers.Rescaling, keras.layers.Normalization)
        return any(
            isinstance(layer, preprocessing)
            or getattr(layer, "takes_raw_pixels", False) is True
            for layer in layers
        )
    # A series has rank 2 as well, and is normalized, too.
    return rank == 2 and any(
        isinstance(layer, keras.layers.Rescaling)
        and any(np.allclose(layer.scale, 1 / top) for top in (255, 127.5))
        for layer in layers
    )


def all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers of a model and of the models inside it."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
