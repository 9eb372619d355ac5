"""What is known of a learner by its name alone, a part of `tfmeta.registry`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

Family = Literal["metric", "optimization", "model", "control"]


@dataclasses.dataclass(frozen=True)
class LearnerEntry:
    """A learner that a run can train.

    Attributes:
        path: Where its class is, `"module:Class"`.
        title: What people call it.
        summary: One line for the README: how it classifies a query, or what its
            outer loop learns.
        family: `"optimization"` for one that takes steps on the support: TensorFlow
            is started with other threads for it. `"model"` for one that reads the
            support as a sequence. Both are trained on tasks like those that they are
            measured on. `"control"` for one whose tasks are environments.
        encoder: Name of its encoder of pictures, a key of `ENCODERS`.
        text_encoder: Likewise of texts; `None` for one that begins at the texts of the
            training classes.
        support: What its tasks hold of a class, `"examples"`, or `"attributes"` for one
            that enrols classes by what is known of them.
        attribute_encoder: Name of its encoder of attributes that are texts.
        trains_on: `"episodes"`, or `"examples"` for one that trains on plain batches
            of all classes at once, or `"nothing"` for one that learns from a support
            alone and is used with its encoder as that is.
        optimizer: Where the optimizer of the outer loop is made, `"module:function"`
            of its first learning rate and the number of training steps.
        defaults: Options of `tfmeta train` that it has other defaults for, whatever
            the data set.
        regression: As `defaults`, where it regresses; `None` for one that does not.
        search: Arguments of its constructor that `tfmeta.tuning` searches by default,
            and their choices.
    """

    path: str
    title: str
    summary: str = ""
    family: Family = "metric"
    encoder: str = "conv4"
    text_encoder: str | None = None
    support: Literal["examples", "attributes"] = "examples"
    attribute_encoder: str | None = None
    trains_on: Literal["episodes", "examples", "nothing"] = "episodes"
    optimizer: str = "tfmeta.runs.outer_optimizers:cosine_adam"
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    regression: Mapping[str, Any] | None = None
    search: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)

    @property
    def class_name(self) -> str:
        """Name of its class."""
        return self.path.rpartition(":")[2]

    @property
    def trains_on_like_tasks(self) -> bool:
        """Whether it is trained on tasks like those that it is measured on."""
        return self.family in ("optimization", "model")

    @property
    def has_heads(self) -> bool:
        """Whether its argument `head` is one of `HEADS`."""
        return self.family == "optimization"
