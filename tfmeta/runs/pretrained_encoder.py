"""The encoder of a run that others have trained, and what is trained behind it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets import ClassTable
from tfmeta.encoders import Projection, pretrained
from tfmeta.encoders.pretrained.applications import application_names
from tfmeta.encoders.stacked import stacked
from tfmeta.layers import Sphere
from tfmeta.registry import ENCODERS, Kind, learner_entry, usual_encoder
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import kind_of

# What a task adapts is copied for every task of a step.
_ADAPTED_UNITS = 128
# Of features that prototypes of unit length are compared with, as of a `Projection`.
_LENGTH = 8.0


def check_pretrained(config: TrainConfig, name: str) -> None:
    """Refuses what has no effect, or another one, behind features computed once.

    Raises:
        ValueError: Names the option.
    """
    for option, value, usual in (
        ("augment", config.augment, False),
        ("dtype_policy", config.dtype_policy, "float32"),
    ):
        if value != usual:
            raise ValueError(
                f"`{option}` must be {usual!r} with a pre-trained encoder, whose "
                "features are computed once for every example, in float32. Received: "
                f"{option}={value!r} with encoder {name!r}"
            )


def encoder_name(config: TrainConfig, kind: Kind) -> str | None:
    """Name of the encoder of a run: its own, or the learner's usual for such examples.

    `None` for one of texts that begins at those of the training classes, and for
    examples that there is none for.
    """
    return config.encoder or usual_encoder(config.learner, kind)


def check_takes(name: str, kind: Kind, table: ClassTable) -> None:
    """Checks that an encoder of the registry is one for such examples.

    Args:
        name: Its name; of one that is not in the registry nothing is known here.
        kind: What the examples are.
        table: Where they are from, for the message.

    Raises:
        ValueError: When it is for others; names those that are for these.
    """
    if name not in ENCODERS or kind in ENCODERS[name].examples:
        return
    fitting = [other for other, entry in ENCODERS.items() if kind in entry.examples]
    raise ValueError(
        f"`encoder` must take the examples of data set {table.name!r}, {kind} of shape "
        f"{table.example_shape} and dtype {table.examples.dtype}"
        + (f", such as {', '.join(fitting)}" if fitting else "")
        + f". Received: encoder={name!r}, which takes "
        f"{' and '.join(ENCODERS[name].examples)}"
    )


def build_pretrained(config: TrainConfig, table: ClassTable) -> keras.Model:
    """The encoder as others have trained it.

    Args:
        config: The run.
        table: Says what the examples are.

    Raises:
        ValueError: When there is no such encoder, or it does not take such examples.
        ImportError: When the extra with its weights is not installed.
        OSError: When weights cannot be downloaded.
    """
    kind = kind_of(table)
    name = encoder_name(config, kind)
    assert name is not None, "asked for an encoder that others have trained"
    check_pretrained(config, name)
    check_takes(name, kind, table)
    if kind == "pictures" and table.examples.dtype != np.uint8:
        raise ValueError(
            f"encoder {name!r} takes pictures of 8 bits. Received: data set "
            f"{table.name!r} with pixels of {table.examples.dtype}"
        )
    if name not in ENCODERS and not _may_be(name):
        raise ValueError(
            f"`encoder` must be one of {', '.join(ENCODERS)}, a backbone of "
            "keras.applications, a .keras file or the folder of a SavedModel. "
            f"Received: encoder={name!r}"
        )
    shape = table.example_shape if kind == "pictures" else (None, None, 3)
    with renamed_arguments({"name": "encoder"}):
        return pretrained(name, input_shape=shape)


def build_projection(config: TrainConfig, features: int) -> keras.Model:
    """What a run has behind features, to vectors.

    A projection that is trained; where attributes are mapped to where features lie,
    their length alone.
    """
    entry = learner_entry(config.learner)
    if entry.support == "attributes":
        layers = [keras.Input((features,)), Sphere(_LENGTH, name="length")]
        return keras.Sequential(layers, name="direction")
    adapted = entry.family == "optimization"
    return Projection(
        features, units=_ADAPTED_UNITS if adapted else None, seed=config.seed
    )


def on_pretrained(config: TrainConfig, table: ClassTable) -> keras.Model:
    """The encoder that others have trained, and the projection behind it.

    A learner without training steps takes the features as they are.
    """
    encoder = build_pretrained(config, table)
    if learner_entry(config.learner).trains_on == "nothing":
        return encoder
    projection = build_projection(config, encoder.output_shape[-1])
    return stacked(encoder, projection, name=f"on_{encoder.name}")


def _may_be(name: str) -> bool:
    return name in application_names() or Path(name).exists()
