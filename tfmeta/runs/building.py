"""From a configuration and the training data to an untrained learner."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras

from tfmeta.datasets import ClassTable
from tfmeta.encoders import Conv4, KochConvNet, TextEncoder
from tfmeta.episodes import KerasAugmentation, RandomAffine
from tfmeta.learners import FewShotLearner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import kind_of
from tfmeta.runs.learners import learner_kind


def build_learner(config: TrainConfig, train_table: ClassTable) -> FewShotLearner:
    """A compiled, untrained learner.

    Args:
        config: The run.
        train_table: The training classes: the encoder takes the shape of their
            examples and, for text, its vocabulary from them.

    Raises:
        ValueError: When there is no such learner, it does not take the
            arguments, or there is no encoder for such examples.
    """
    kind = learner_kind(config.learner)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.dtype_policy)
    try:
        learner = kind.build(
            build_encoder(config, train_table),
            config.learner_arguments,
            seed=config.seed,
            base_classes=train_table.num_classes,
            ways=config.train_ways,
        )
    finally:
        keras.config.set_dtype_policy(policy)
    learner.compile(kind.make_optimizer(config.learning_rate, config.steps))
    return learner


def _conv4(config: TrainConfig, shape: tuple[int, ...], **options: Any) -> keras.Model:
    return Conv4(shape, filters=config.filters, seed=config.seed, **options)


def _koch(config: TrainConfig, shape: tuple[int, ...]) -> keras.Model:
    return KochConvNet(
        shape,
        filters=config.filters,
        # In proportion to the filters, as in the paper: 4,096 for 64.
        features=64 * config.filters,
        seed=config.seed,
    )


# Encoders of pictures by name: of a run and the shape of a picture.
PICTURE_ENCODERS: dict[str, Callable[[TrainConfig, tuple[int, ...]], keras.Model]] = {
    "conv4": _conv4,
    "conv4_strides": functools.partial(_conv4, downsampling="strides"),
    "conv4_maps": functools.partial(
        _conv4, pooled_blocks=2, flatten=False, name="conv4_maps"
    ),
    "koch": _koch,
}


def build_encoder(config: TrainConfig, train_table: ClassTable) -> keras.Model:
    """The encoder that fits the examples and the learner.

    Raises:
        ValueError: When there is none, or none of that name.
    """
    kind = kind_of(train_table)
    if kind == "pictures":
        name = config.encoder or learner_kind(config.learner).encoder
        if name not in PICTURE_ENCODERS:
            raise ValueError(
                f"`encoder` must be one of {', '.join(PICTURE_ENCODERS)}. Received: "
                f"encoder={name!r}"
            )
        return PICTURE_ENCODERS[name](config, train_table.example_shape)
    if config.encoder is not None:
        raise ValueError(
            "`encoder` can be chosen for pictures only. Received: "
            f"encoder={config.encoder!r} for data set {train_table.name!r}"
        )
    if kind == "text":
        texts = [str(text) for text in train_table.examples[:]]
        if not config.characters:
            return TextEncoder(texts, seed=config.seed)
        # A molecule stands in every assay that it was tried in.
        return TextEncoder(
            sorted(set(texts)),
            words=False,
            standardize=False,
            character_ngrams=(1, 6),
            max_terms=8000,
            seed=config.seed,
        )
    raise ValueError(
        "`tfmeta train` has encoders for pictures and for text. Received: data set "
        f"{train_table.name!r} with examples of shape {train_table.example_shape}, "
        f"{train_table.examples.dtype}; train them in Python with an encoder of your "
        "own, as the README shows"
    )


def build_augmentation(
    config: TrainConfig, train_table: ClassTable
) -> RandomAffine | KerasAugmentation | None:
    """How training examples are distorted, if they are.

    Raises:
        ValueError: When they are to be and are no pictures.
    """
    if not config.augment:
        return None
    if kind_of(train_table) != "pictures":
        raise ValueError(
            "`augment` distorts pictures. Received: augment=True for data set "
            f"{train_table.name!r}, which holds none"
        )
    if train_table.example_shape[-1] == 1:
        return RandomAffine()
    return KerasAugmentation(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        ]
    )
