"""What is trained where the tasks of a run are environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmeta.control_registry import (
    FAMILIES,
    POLICY_LEARNERS,
    PREFIX,
    SHORT_NAMES,
    family_entry,
    policy_learner,
)
from tfmeta.runs.config import TrainConfig

# As the paper's navigation, but for a batch of half its tasks.
_USUAL: Mapping[str, Any] = {
    "learner": "policy_maml",
    "train_tasks": 20,
    "epochs": 10,
    "steps_per_epoch": 10,
    "validation_episodes": 40,
}


def control_config(dataset: str, chosen: Mapping[str, Any]) -> TrainConfig:
    """The configuration for a family of environments, with what the user has chosen.

    Args:
        dataset: `"control:NAME"`.
        chosen: Values by name of the option, as `TrainConfig.with_options` takes them.

    Raises:
        ValueError: When there is no such family, or the learner is for other tasks.
    """
    family = family_entry(dataset.removeprefix(PREFIX))
    usual_learner = {**_USUAL, **family.defaults}["learner"]
    learner = policy_learner(chosen.get("learner", usual_learner))
    if learner not in POLICY_LEARNERS and ":" not in learner:
        names = ", ".join([*SHORT_NAMES, *POLICY_LEARNERS])
        raise ValueError(
            "`learner` must be one of policies where tasks are environments: "
            f"{names}, or module:Class of your own. Received: learner={learner!r}"
        )
    usual = POLICY_LEARNERS[learner].defaults if learner in POLICY_LEARNERS else {}
    values = {**_USUAL, **family.defaults, **usual, **chosen}
    for name in ("learner_arguments", "task_arguments"):
        parts = (family.defaults, usual, chosen)
        values[name] = {
            k: v for part in parts for k, v in (part.get(name) or {}).items()
        }
    values["task_arguments"] = values["task_arguments"] or None
    return TrainConfig().with_options(
        {**values, "dataset": dataset, "learner": learner}
    )


def families_in_words() -> str:
    """The families of environments, for `--help`."""
    named = "; ".join(f"{name}, {entry.summary}" for name, entry in FAMILIES.items())
    return f"{named}; gym:ID of Gymnasium; or module:Class of your own"
