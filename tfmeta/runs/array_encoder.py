"""The encoder of a run of vectors, series or arrays of any channels."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets import ClassTable
from tfmeta.encoders import MLP, standardized
from tfmeta.registry import ENCODERS, resolve
from tfmeta.runs.config import TrainConfig

# Sides in pixels that four poolings leave something of.
_LEAST_SIDE = 16


def build_array_encoder(
    config: TrainConfig, train_table: ClassTable, name: str
) -> keras.Model:
    """An encoder behind the mean and deviation of the training classes.

    Args:
        config: The run.
        train_table: The training classes.
        name: Of the encoder, one of the registry that takes such examples.

    Raises:
        ValueError: When the numbers cannot be standardised, or are of a shape that the
            encoder does not take.
    """
    with renamed_arguments({"examples": "dataset"}):
        body = _body(config, train_table.example_shape, name)
        return standardized(body, train_table.examples)


def mlp_in_proportion(
    shape: tuple[int, ...], *, filters: int, seed: int
) -> keras.Model:
    """A perceptron of two layers.

    Args:
        shape: Shape of an example.
        filters: Units of the last layer; the first has four times as many.
        seed: Seed of the weights.
    """
    return MLP(shape, units=(4 * filters, filters), seed=seed)


def as_they_are(shape: tuple[int, ...], *, filters: int, seed: int) -> keras.Model:
    """What gives examples as they are, whatever `filters` and `seed` are."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Identity()(inputs), name="identity")


def _body(config: TrainConfig, shape: tuple[int, ...], name: str) -> keras.Model:
    """What stands behind the standardised numbers."""
    entry = ENCODERS[name]
    make = resolve(entry.path)
    taken = inspect.signature(make).parameters
    arguments: dict[str, Any] = dict(entry.arguments)
    if "rescale" in taken:
        # There are no pixels to bring from 255 to 1.
        arguments["rescale"] = None
    if "downsampling" in taken and min(shape[:2]) < _LEAST_SIDE:
        arguments["downsampling"] = "strides"
    return make(shape, filters=config.filters, seed=config.seed, **arguments)
