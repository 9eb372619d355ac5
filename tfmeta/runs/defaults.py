"""What is trained when only the data set is named."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from tfmeta.datasets.registry import DATASETS
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.learners import learner_kind

DEFAULTS: dict[str, TrainConfig] = {
    name: TrainConfig(dataset=name, **record.training)
    for name, record in DATASETS.items()
}

# What says how training batches of each sort are made.
_OF_EPISODES = ("train_ways", "train_shots", "train_queries", "train_tasks")
_OF_EXAMPLES = ("batch_size",)

_OWN = TrainConfig(train_ways=20)


def default_config(
    dataset: str,
    chosen: dict[str, Any],
    *,
    data_dir: str | os.PathLike[str] | None = None,
) -> TrainConfig:
    """The configuration for a data set, with what the user has chosen.

    For a data set of the user's own, ways and queries are the most that its
    splits allow, up to 20 ways in training, 5 ways in validation and test, and
    15 queries. Its pictures are read for that.

    Args:
        dataset: A name, a path, or `"tfds:NAME"`.
        chosen: Values by name of the configuration's attribute.
        data_dir: Where data sets are kept, `None` for the default.

    Raises:
        ValueError: When there is neither a data set nor a path of that name, or
            something is chosen that the learner makes no use of.
    """
    _check_used(chosen)
    if learner_kind(chosen.get("learner", TrainConfig.learner)).has_inner_loop:
        chosen = {**_inner_loop_choices(chosen), **chosen}
    if dataset in DEFAULTS:
        return dataclasses.replace(DEFAULTS[dataset], **chosen)
    if not dataset.startswith("tfds:"):
        if not Path(dataset).exists():
            raise ValueError(
                f"`dataset` must be one of {', '.join(DATASETS)}, or the path of a "
                "folder or CSV file of your own, or tfds:NAME for a data set of "
                f"TensorFlow Datasets. Received: {dataset!r}, and there is no such path"
            )
        # A run is evaluated from other folders, too.
        dataset = str(Path(dataset).resolve())
    config = dataclasses.replace(_OWN, dataset=dataset, **chosen)
    return _sized_to_data(config, set(chosen), data_dir)


def _check_used(chosen: dict[str, Any]) -> None:
    """Refuses choices that say how another sort of learner is trained."""
    learner = chosen.get("learner", TrainConfig.learner)
    trains_on = learner_kind(learner).trains_on
    others = {"episodes": _OF_EXAMPLES, "examples": _OF_EPISODES}[trains_on]
    for name in others:
        if name in chosen:
            raise ValueError(
                f"`{name}` must be left out for learner {learner!r}, which trains on "
                f"{trains_on}. Received: {name}={chosen[name]!r}"
            )


def _inner_loop_choices(chosen: dict[str, Any]) -> dict[str, Any]:
    """What is not chosen for a learner with an inner loop, whose head has its ways.

    Raises:
        ValueError: When training and test are to have other ways and the head takes
            one number alone.
    """
    ways = chosen.get("ways", chosen.get("train_ways", 5))
    train_ways = chosen.get("train_ways", ways)
    is_free = chosen.get("learner_arguments", {}).get("head") == "prototypes"
    if ways != train_ways and not is_free:
        raise ValueError(
            "`ways` must equal `train_ways` for a learner with a linear head; the "
            "argument head=prototypes takes any number. Received: "
            f"ways={ways}, train_ways={train_ways}"
        )
    choices = {"ways": ways, "train_ways": train_ways, "train_tasks": 16, "shots": 1}
    choices["train_shots"] = chosen.get("shots", 1)
    if chosen["learner"] == "reptile":
        choices.update(train_shots=10, train_tasks=5, learning_rate=1.0)
    return choices


def _sized_to_data(
    config: TrainConfig, chosen: set[str], data_dir: str | os.PathLike[str] | None
) -> TrainConfig:
    """Lowers what was not chosen to what the data allow."""
    train, *others = (
        load_split(config, split, data_dir) for split in ("train", "validation", "test")
    )
    lowered: dict[str, Any] = {
        "train_ways": min(config.train_ways, train.num_classes),
        "train_queries": min(
            config.train_queries,
            int(train.class_sizes.min()) - config.most_train_shots - config.unlabelled,
        ),
        "ways": min(config.ways, *(t.num_classes for t in others)),
        "queries": min(
            config.queries,
            *(
                int(t.class_sizes.min()) - config.shots - config.unlabelled
                for t in others
            ),
        ),
    }
    for name, value in lowered.items():
        # What does not go at all is left for the episodes to explain.
        if name not in chosen and value > 0:
            config = dataclasses.replace(config, **{name: value})
    return config
