"""The encoder of what describes the classes of a run."""

from __future__ import annotations

import keras

from tfmeta.datasets import ClassTable
from tfmeta.encoders import Projection, pretrained
from tfmeta.encoders.stacked import stacked
from tfmeta.registry import LearnerEntry
from tfmeta.runs.config import TrainConfig
from tfmeta.seeds import spawn_seeds

# There are few classes to learn a map from; benchmarks/zero_shot_images.py compares.
_NOISE = 0.2


def build_attribute_encoder(
    entry: LearnerEntry, config: TrainConfig, table: ClassTable, features: int
) -> keras.Model:
    """From attributes of classes to where their examples lie; a linear map is trained.

    Args:
        entry: The learner; it names the encoder of texts, which stays as it is.
        config: The run.
        table: The training classes, with attributes: a text for each class, or a
            vector.
        features: Length of the embeddings of examples.

    Raises:
        ValueError: When the table has no attributes, or others.
        ImportError: When the extra with the weights is not installed.
    """
    attributes = table.class_attributes
    if attributes is None:
        raise ValueError(
            f"`train_table` must have attributes of its classes for learner "
            f"{config.learner!r}. Received: table {table.name!r}, which has none"
        )
    if attributes.dtype == object and attributes.ndim == 1:
        assert entry.attribute_encoder is not None, "a learner that knows no texts"
        texts = pretrained(entry.attribute_encoder)
        projection = _projection(texts.output_shape[-1], features, config)
        return stacked(texts, projection, name=f"on_{texts.name}")
    if attributes.dtype.kind == "f" and attributes.ndim == 2:
        return _projection(attributes.shape[1], features, config)
    raise ValueError(
        f"class attributes of data set {table.name!r} must be a text for each class, "
        "or a vector of floats. Received: attributes of shape "
        f"{attributes.shape[1:]} and dtype {attributes.dtype}"
    )


def _projection(length: int, features: int, config: TrainConfig) -> keras.Model:
    (seed,) = spawn_seeds(config.seed, 1, stream="attributes")
    # Prototypes are brought to unit length: a gain would slow the steps down alone.
    return Projection(length, units=features, gain=1.0, noise=_NOISE, seed=seed)
