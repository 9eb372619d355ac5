"""The configuration of a training run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from tfmeta.control_registry import is_control
from tfmeta.registry import learner_entry
from tfmeta.registry_in_words import named_encoders, named_learners, usual_encoders
from tfmeta.runs.columns import COLUMNS
from tfmeta.runs.episode_config import MOST, EpisodeConfig, HeldOutEpisodeConfig
from tfmeta.runs.parameter import FROM_DATA, Place, Task, parameter, part, parts, places

# No encoder was trained on more; pictures of some 10,000 do not fit into memory.
MOST_PIXELS = 2048

# What validation goes by.
_FIGURES: dict[Task, str] = {
    "classification": "accuracy",
    "regression": "mean_squared_error",
    "control": "return_after",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides the outcome of a training run.

    A field is the one place where a parameter stands: its option, what the option
    accepts, its help and its default, and its place in `config.json` follow from it.
    `tfmeta train --help` prints what each is.

    Raises:
        ValueError: When a value is of another type or out of its bounds.
    """

    dataset: str = parameter(
        "glyphs",
        "A name of `tfmeta datasets list`, a folder, CSV or .npz file of your own, or "
        "tfds:NAME of TensorFlow Datasets, or control:NAME, as --task NAME.",
        unit="name|path",
    )
    protocol: str | None = parameter(
        None,
        "Split protocol of the data set (omniglot: vinyals, lake; clinc150 and "
        "banking77: new_intents, all_intents).",
        unit="name",
        without="the first of these",
        of_task="classification",
    )
    size: int | None = parameter(
        None,
        "Side in pixels to resize your own pictures to, or Omniglot's (scans: 105).",
        unit="pixels",
        at_least=1,
        at_most=MOST_PIXELS,
        without="28 for omniglot; the pictures' own",
        of_task="classification",
    )
    skip_bad: bool = parameter(
        False,
        "Leave out your own files that cannot be read, and class folders and lines of "
        "a CSV file that something is wrong with.",
        opposite="no_skip_bad",
        of_task=FROM_DATA,
    )
    text_column: str | None = parameter(
        None,
        "Of a CSV file of texts: the column that holds them.",
        unit="name",
        without="text, where the file has it",
        of_task="classification",
    )
    path_column: str | None = parameter(
        None,
        "Of a CSV file that lists files: the column of their paths.",
        unit="name",
        without="path, where the file has no texts",
        of_task="classification",
    )
    label_column: str | None = parameter(
        None,
        "Of a CSV file: the column of the names of classes.",
        unit="name",
        without="label",
        of_task="classification",
    )
    group_column: str | None = parameter(
        None,
        "Of a CSV file: the column that says the group of each class, for "
        "--same-group.",
        unit="name",
        without="no groups",
        of_task="classification",
    )
    task_column: str | None = parameter(
        None,
        "Trains regression of your own CSV file: the column that says which task a row "
        "is of, as prices of houses have a town.",
        unit="column",
        without="none, classification",
        of_task="regression",
    )
    target_column: str | None = parameter(
        None,
        "The column to predict, beside --task-column; several are separated by commas.",
        unit="column",
        without="none",
        of_task="regression",
    )
    feature_column: str | None = parameter(
        None,
        "The columns to predict from, beside --task-column, separated by commas.",
        unit="column",
        without="all others",
        of_task="regression",
    )
    task_arguments: dict[str, Any] | None = parameter(
        None,
        "Of tasks that are environments: an argument of their family, e.g. horizon=50. "
        "May be repeated.",
        option="task_argument",
        without="those of the family",
        of_task="control",
    )
    learner: str = parameter(
        "prototypical",
        f"One of: {named_learners()}; or module:Class of your own.",
        unit="name",
    )
    learner_arguments: dict[str, Any] = parameter(
        {},
        "An argument of the learner's constructor, e.g. distance=cosine. May be "
        "repeated.",
        option="argument",
        without="those of the constructor",
    )
    seed: int = parameter(
        0, "Seed of weights and episodes.", unit="seed", at_least=0, at_most=2**63 - 1
    )
    training: EpisodeConfig = part(
        EpisodeConfig(ways=40, queries=5),
        "training",
        prefix="train_",
        trains_on="episodes",
    )
    train_tasks: int = parameter(
        1,
        "Tasks per training step.",
        unit="tasks",
        at_least=1,
        at_most=10_000,
        trains_on="episodes",
    )
    batch_size: int = parameter(
        128,
        "Examples per training step, for learners that train on plain batches "
        "(baseline, baseline_plus_plus).",
        unit="examples",
        at_least=1,
        at_most=MOST,
        trains_on="examples",
        of_task="classification",
    )
    validation: HeldOutEpisodeConfig = part(
        HeldOutEpisodeConfig(), "validation or test"
    )
    test: HeldOutEpisodeConfig = part(HeldOutEpisodeConfig(), "validation or test")
    filters: int = parameter(
        64,
        "Filters of the Conv4 encoder, or of the first convolution of Koch's and of "
        "series_fcn, and of the convolutions of meta_networks; the last layer of mlp "
        "has as many units.",
        unit="filters",
        at_least=1,
        at_most=1024,
        of_training=True,
        of_task="classification",
    )
    encoder: str | None = parameter(
        None,
        f"Encoder: {named_encoders()}; or a backbone of "
        "keras.applications, or a .keras file or SavedModel of your own. Behind one "
        "that is trained already, a projection of its features is trained.",
        unit="name|path",
        without=usual_encoders(),
        of_task="classification",
    )
    dtype_policy: str = parameter(
        "float32",
        "Keras' dtype policy.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        of_training=True,
        of_task=FROM_DATA,
    )
    augment: bool = parameter(
        False,
        "Distort training pictures.",
        opposite="no_augment",
        of_training=True,
        of_task="classification",
    )
    epochs: int = parameter(
        10,
        "Each ends in a validation and a checkpoint; the best on validation classes "
        "becomes the learner.",
        unit="epochs",
        at_least=1,
        at_most=MOST,
        of_training=True,
    )
    steps_per_epoch: int = parameter(
        50,
        "Training steps per epoch.",
        unit="steps",
        at_least=1,
        at_most=MOST,
        of_training=True,
    )
    validation_episodes: int = parameter(
        96,
        "Validation tasks per epoch.",
        unit="tasks",
        at_least=1,
        at_most=MOST,
        of_training=True,
    )
    learning_rate: float = parameter(
        1e-3,
        "At the first step; it falls to 0 by the last.",
        unit="rate",
        above=0,
        at_most=1e18,
        of_training=True,
    )
    splits: dict[str, Any] | None = parameter(
        None,
        "Of data of your own: the origins of the classes, or tasks, of each split, as "
        "they were when the run began.",
        has_option=False,
    )
    characters: bool = parameter(
        False,
        "Whether every character of a text counts, as in the SMILES string of a "
        "molecule; else its words do, in lower case.",
        has_option=False,
    )

    def __post_init__(self) -> None:
        for place in places(type(self)):
            place.check(place.value_in(self))
        if (self.task_column is None) != (self.target_column is None) or (
            self.feature_column is not None and self.task_column is None
        ):
            raise ValueError(
                "`task_column` and `target_column` must come together, and "
                "`feature_column` with both. Received: task_column="
                f"{self.task_column!r}, target_column={self.target_column!r}, "
                f"feature_column={self.feature_column!r}"
            )

    @property
    def task(self) -> Task:
        """What the run's learner does, as `LearnerContract.task` has it."""
        if is_control(self.dataset):
            return "control"
        return "classification" if self.task_column is None else "regression"

    @property
    def figure(self) -> str:
        """Name of the figure that validation goes by."""
        return _FIGURES[self.task]

    @property
    def steps(self) -> int:
        """Training steps in all."""
        return self.epochs * self.steps_per_epoch

    @property
    def columns(self) -> dict[str, Any]:
        """What the columns of a CSV file are called, as `split_own` takes it."""
        return {name: getattr(self, name) for name in COLUMNS}

    @property
    def support(self) -> str:
        """What tasks hold of a class, as `Episodes` takes it."""
        return learner_entry(self.learner).support

    def with_options(self, values: Mapping[str, Any]) -> TrainConfig:
        """The same with other values, by the names of their options.

        Args:
            values: As on the command line, with `_`: `train_ways` is the ways of
                training, `ways` those of validation and test.

        Raises:
            ValueError: For a name that is no option, and for values that are out of
                their bounds.
        """
        by_name = {place.name for place in places(type(self))}
        unknown = sorted(set(values) - by_name)
        if unknown:
            raise ValueError(
                f"options of a run must be among {', '.join(sorted(by_name))}. "
                f"Received: {', '.join(unknown)}"
            )
        changes: dict[str, Any] = {}
        inner: dict[str, dict[str, Any]] = {}
        for place in places(type(self)):
            if place.name not in values:
                continue
            *above, name = place.path
            into = inner.setdefault(above[0], {}) if above else changes
            into[name] = values[place.name]
        for name, inside in inner.items():
            changes[name] = dataclasses.replace(getattr(self, name), **inside)
        return dataclasses.replace(self, **changes)

    def differences(self, other: TrainConfig) -> Iterator[tuple[str, Any, Any]]:
        """Name of the option, own value and the other's, where they differ.

        Splits differ where both configurations say them; of what may be thousands of
        classes, the first that are not in the same.
        """
        for place in places(type(self)):
            own, others = place.value_in(self), place.value_in(other)
            if own == others or (place.name == "splits" and None in (own, others)):
                continue
            if place.name == "splits":
                own, others = _where_they_differ(own, others)
            yield place.name, own, others

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values, and of such dicts for the parts."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> TrainConfig:
        """The configuration of a `to_json`; what is left out is the default.

        Raises:
            ValueError: For a key that this version does not know, and for values that
                are out of their bounds.
        """
        given = _known("a run's configuration", cls, values)
        for name in set(given) & set(parts(cls)):
            default = getattr(cls(), name)
            inside = _known(f"`{name}` of a run", type(default), given[name])
            given[name] = dataclasses.replace(default, **inside)
        return cls(**given)


def options() -> list[Place]:
    """The options of `tfmeta train` that a configuration has, in their order.

    What validation and test share is one of them, the last of its places.
    """
    last: dict[str, Place] = {}
    for place in places(TrainConfig):
        last.pop(place.name, None)
        last[place.name] = place
    return [place for place in last.values() if place.parameter.has_option]


def _where_they_differ(
    *both: Mapping[str, list[str]], most: int = 3
) -> list[dict[str, str]]:
    """The split of classes that two assignments have in different ones."""
    one, other = (
        {origin: split for split, origins in splits.items() for origin in origins}
        for splits in both
    )
    moved = sorted(o for o in {*one, *other} if one.get(o) != other.get(o))[:most]
    return [{o: found.get(o, "none") for o in moved} for found in (one, other)]


def names_of_options(part: str) -> dict[str, str]:
    """Names of the options of a part, by those of the arguments of `Episodes`."""
    return {
        place.path[-1]: place.name
        for place in places(TrainConfig)
        if place.path[0] == part
    }


def _known(what: str, config: type, values: Any) -> dict[str, Any]:
    """A mapping without other keys than a configuration's."""
    names = [field.name for field in dataclasses.fields(config)]
    wanted = f"{what} has the keys {', '.join(sorted(names))}"
    if not isinstance(values, Mapping):
        raise ValueError(f"{wanted}. Received: {values!r}")
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"{wanted}. Received: {', '.join(map(str, unknown))}")
    return dict(values)
