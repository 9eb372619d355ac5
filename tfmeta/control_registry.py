"""Tasks that are environments, and what learns them, as plain values.

A part of `tfmeta.registry`, and like it without TensorFlow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfmeta.learner_record import LearnerEntry

# What the data set of a run begins with, whose tasks are environments.
PREFIX = "control:"


@dataclasses.dataclass(frozen=True)
class FamilyEntry:
    """Environments that can be chosen by name.

    Attributes:
        path: Where their class is, `"module:Class"`.
        summary: One line.
        arguments: What it is given besides.
        defaults: Options of `tfmeta train` that it has other defaults for.
    """

    path: str
    summary: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)


_GYMNASIUM = "tfmeta.control.gymnasium_family"
FAMILIES: dict[str, FamilyEntry] = {
    "navigation": FamilyEntry(
        "tfmeta.control.navigation:Navigation",
        "a point that is to find a goal it does not see (Finn 2017)",
    ),
    "bandits": FamilyEntry(
        "tfmeta.control.bandits:Bandits",
        "arms of which one pays best (Duan 2016)",
        # One observation, in which only a memory tells tasks apart.
        defaults={
            "learner": "rl_squared",
            "train_tasks": 256,
            "steps_per_epoch": 40,
            "learning_rate": 3e-3,
        },
    ),
    "cartpole": FamilyEntry(
        f"{_GYMNASIUM}:GymnasiumFamily",
        "Gymnasium's CartPole, whose pole, gravity and force differ",
        {
            "env_id": "CartPole-v1",
            "varied": {
                "length": (0.25, 1.5),
                "gravity": (5.0, 20.0),
                "force_mag": (5.0, 15.0),
            },
            "horizon": 200,
        },
    ),
    "minigrid": FamilyEntry(
        "tfmeta.control.minigrid_family:MiniGridFamily",
        "a world of rooms that is the same in every episode",
    ),
}

# How they are called where only they can be meant.
SHORT_NAMES = {
    "maml": "policy_maml",
    "rl2": "rl_squared",
    "pretraining": "policy_pretraining",
    "oracle": "policy_oracle",
}

POLICY_LEARNERS: dict[str, LearnerEntry] = {
    "policy_maml": LearnerEntry(
        "tfmeta.control.policy_maml:PolicyMAML",
        "MAML of policies",
        "a policy that one step of policy gradients makes good (Finn 2017)",
        family="control",
    ),
    "rl_squared": LearnerEntry(
        "tfmeta.control.rl_squared:RL2",
        "RL²",
        "a recurrent policy whose memory spans episodes (Duan 2016)",
        family="control",
    ),
    "policy_pretraining": LearnerEntry(
        "tfmeta.control.baselines:pretrained_policy",
        "pre-trained policy",
        "one policy for all tasks, then fine-tuned by policy gradients",
        family="control",
    ),
    "policy_oracle": LearnerEntry(
        "tfmeta.control.baselines:oracle_policy",
        "oracle policy",
        "one policy that is told which task it is in",
        family="control",
    ),
}


def is_control(dataset: str) -> bool:
    """Whether the tasks of a data set, by its name, are environments."""
    return dataset.startswith(PREFIX)


def family_entry(name: str) -> FamilyEntry:
    """The entry of a name, of Gymnasium's, or of the `"module:Class"` of one's own.

    Args:
        name: `"navigation"`, `"gym:CartPole-v1"`, `"mine:MyFamily"`.

    Raises:
        ValueError: For a name that is none of them.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    module, colon, inner = name.partition(":")
    if module == "gym" and inner:
        summary = f"{inner} of Gymnasium"
        return FamilyEntry(f"{_GYMNASIUM}:GymnasiumFamily", summary, {"env_id": inner})
    if colon and module and inner.isidentifier():
        return FamilyEntry(name, inner)
    raise ValueError(
        f"`task` must be one of {', '.join(FAMILIES)}, gym:ID of Gymnasium, or "
        f"module:Class of your own. Received: task={name!r}"
    )


def policy_learner(name: str) -> str:
    """The full name of a learner of environments; others stay as they are."""
    return SHORT_NAMES.get(name, name)
