"""From a configuration and the training data to an untrained learner."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets import ClassTable
from tfmeta.datasets.task_table import TaskTable
from tfmeta.encoders import MLP, KochConvNet, TextEncoder
from tfmeta.episodes import KerasAugmentation, RandomAffine
from tfmeta.learners import FewShotLearner
from tfmeta.registry import (
    ENCODERS,
    HEADS,
    LearnerEntry,
    is_pretrained,
    learner_entry,
    regressing_learners,
    resolve,
)
from tfmeta.runs.array_encoder import build_array_encoder
from tfmeta.runs.attribute_encoder import build_attribute_encoder
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import kind_of
from tfmeta.runs.pretrained_encoder import (
    check_takes,
    encoder_name,
    on_pretrained,
)


def build_learner(config: TrainConfig, train_table: ClassTable) -> FewShotLearner:
    """A compiled, untrained learner.

    Args:
        config: The run.
        train_table: The training classes, as `make_learner` takes them.

    Raises:
        ValueError: As `make_learner`.
    """
    learner = make_learner(config, train_table)
    compile_learner(config, learner)
    return learner


def compile_learner(config: TrainConfig, learner: FewShotLearner) -> None:
    """Compiles a learner with the optimizer of a run."""
    make_optimizer = resolve(learner_entry(config.learner).optimizer)
    learner.compile(make_optimizer(config.learning_rate, config.steps))


def make_learner(config: TrainConfig, train_table: ClassTable) -> FewShotLearner:
    """An untrained learner, not compiled.

    Args:
        config: The run.
        train_table: The training classes: the encoder takes the shape of their
            examples and, for text, its vocabulary from them.

    Raises:
        ValueError: When there is no such learner, it does not take the
            arguments, or there is no encoder for such examples.
    """
    entry = learner_entry(config.learner)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.dtype_policy)
    try:
        with renamed_arguments({"input_shape": "pictures"}):
            encoder = build_encoder(config, train_table)
        return _of_encoder(entry, config, encoder, _known(config, encoder, train_table))
    finally:
        keras.config.set_dtype_policy(policy)


# Arguments that follow from the rest of a run's configuration.
_GIVEN = (
    *("self", "encoder", "attribute_encoder", "base_classes", "ways", "task"),
    *("kwargs", "args"),
)


def build_regression_learner(config: TrainConfig, table: TaskTable) -> FewShotLearner:
    """A compiled, untrained learner of regression, of rows of numbers.

    Args:
        config: The run.
        table: The training tasks: how many features and outputs there are.

    Raises:
        ValueError: As `make_learner`, and when the learner does not regress.
    """
    entry, policy = learner_entry(config.learner), keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.dtype_policy)
    try:
        encoder = MLP((len(table.feature_names),), seed=config.seed)
        known = {
            "seed": config.seed,
            "ways": len(table.target_names),
            "task": "regression",
        }
        learner = _of_encoder(entry, config, encoder, known)
    finally:
        keras.config.set_dtype_policy(policy)
    if learner.task != "regression":
        raise ValueError(
            "`learner` must be one that regresses where there is a `target_column`: "
            f"{', '.join(regressing_learners())}, or of your own one that declares "
            f"task = 'regression'. Received: learner={config.learner!r}, with "
            f"task={learner.task!r}"
        )
    compile_learner(config, learner)
    return learner


def _known(
    config: TrainConfig, encoder: keras.Model, train_table: ClassTable
) -> dict[str, Any]:
    """Arguments of a learner of classes that follow from the rest of a run."""
    entry = learner_entry(config.learner)
    head = HEADS.get(str(config.learner_arguments.get("head")))
    known: dict[str, Any] = {
        "seed": config.seed,
        "base_classes": train_table.num_classes,
        "ways": None if head is not None and head.any_ways else config.training.ways,
        "shots": _most(config.training.shots),
        "filters": config.filters,
    }
    if entry.attribute_encoder is not None:
        known["attribute_encoder"] = build_attribute_encoder(
            entry, config, train_table, encoder.output_shape[-1]
        )
    return known


def _most(shots: int | tuple[int, int]) -> int:
    return shots if isinstance(shots, int) else shots[1]


def _of_encoder(
    entry: LearnerEntry,
    config: TrainConfig,
    encoder: keras.Model,
    known: Mapping[str, Any],
) -> FewShotLearner:
    """The untrained learner: of its encoder, its arguments, and what a run knows."""
    make = resolve(entry.path)
    if not (inspect.isclass(make) and issubclass(make, FewShotLearner)):
        raise ValueError(
            f"`learner` must be a class derived from tfmeta.learners.FewShotLearner. "
            f"Received: learner={config.learner!r}"
        )
    names = _parameters(make)
    accepted = [name for name in names if name not in _GIVEN]
    arguments = config.learner_arguments
    if not set(arguments) <= set(accepted):
        raise ValueError(
            f"`learner_arguments` must be among those of a {entry.title}, "
            f"{', '.join(accepted)}. Received: learner_arguments={arguments!r}"
        )
    known = {name: value for name, value in known.items() if name in names}
    with warnings.catch_warnings():
        # Which layers of a copy are other ones concerns who holds the first encoder.
        warnings.filterwarnings("ignore", message="The learner's `encoder` is a copy")
        return make(encoder, **{**known, **arguments})


def _parameters(make: type[FewShotLearner]) -> list[str]:
    """Names of the arguments of a learner, those of its bases included."""
    names: dict[str, None] = {}
    for kind in inspect.getmro(make):
        if kind is FewShotLearner:
            break
        if "__init__" in vars(kind):
            names.update(dict.fromkeys(inspect.signature(kind).parameters))
    return list(names)


def koch_in_proportion(
    shape: tuple[int, ...], *, filters: int, seed: int
) -> keras.Model:
    """Koch's encoder, as wide everywhere as in its first convolution.

    Args:
        shape: Shape of a picture.
        filters: Filters of that; the paper has 64, and 4,096 features.
        seed: Seed of the weights.
    """
    return KochConvNet(shape, filters=filters, features=64 * filters, seed=seed)


def build_encoder(config: TrainConfig, train_table: ClassTable) -> keras.Model:
    """The encoder that fits the examples and the learner.

    Raises:
        ValueError: When there is none, or none of that name.
    """
    kind = kind_of(train_table)
    name = encoder_name(config, kind)
    if is_pretrained(name):
        return on_pretrained(config, train_table)
    if name is not None:
        check_takes(name, kind, train_table)
    if kind == "pictures" and name is not None:
        entry = ENCODERS[name]
        try:
            return resolve(entry.path)(
                train_table.example_shape,
                filters=config.filters,
                seed=config.seed,
                **entry.arguments,
            )
        except ValueError as error:
            height, width, _ = train_table.example_shape
            raise ValueError(
                f"encoder {name!r} must take pictures of {height} x {width} pixels, as "
                f"those of data set {train_table.name!r} are; `size` resizes your own. "
                f"Received: {error}"
            ) from error
    if name is not None:
        return build_array_encoder(config, train_table, name)
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
        "`tfmeta train` has encoders for pictures, for text and for arrays of real "
        "numbers of 1 to 3 axes. Received: data set "
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
