"""The encoder of a run of vectors, series or arrays of any channels."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets import ClassTable
from tfmeta.encoders import standardized
from tfmeta.registry import ENCODERS, resolve
from tfmeta.runs.config import TrainConfig

# Sides in pixels that four poolings leave something of.
_LEAST_SIDE = 16
# The first layer of a perceptron is so many times as wide as the last.
_HIDDEN = 4


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


def _body(config: TrainConfig, shape: tuple[int, ...], name: str) -> keras.Model | None:
    """What stands behind the standardised numbers."""
    if name == "standardized":
        return None
    entry = ENCODERS[name]
    arguments: dict[str, Any] = {"seed": config.seed, **entry.arguments}
    if name == "mlp":
        arguments["units"] = (_HIDDEN * config.filters, config.filters)
    else:
        arguments["filters"] = config.filters
    if len(shape) == 3 and name != "mlp":
        arguments["rescale"] = None
        if min(shape[:2]) < _LEAST_SIDE:
            arguments["downsampling"] = "strides"
    return resolve(entry.path)(shape, **arguments)
