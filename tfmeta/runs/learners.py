"""The learners that a run can train, by name."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Literal

import keras

from tfmeta.learners import (
    Baseline,
    BaselinePlusPlus,
    FewShotLearner,
    GaussianPrototypicalNetwork,
    MatchingNetwork,
    PrototypicalNetwork,
    RelationNetwork,
    SemiSupervisedPrototypicalNetwork,
    SiameseNetwork,
)


@dataclasses.dataclass(frozen=True)
class LearnerKind:
    """How a run builds and names a learner.

    Attributes:
        title: What people call it.
        make: The learner of an encoder and keyword arguments.
        encoder: Name of the encoder for pictures, a key of
            `tfmeta.runs.building.PICTURE_ENCODERS`.
        trains_on: `"episodes"`, or `"examples"` for a learner that trains on plain
            batches of all classes at once, whose number `make` is then given as
            `base_classes`.
    """

    title: str
    make: Callable[..., FewShotLearner]
    encoder: str = "conv4"
    trains_on: Literal["episodes", "examples"] = "episodes"

    def build(
        self,
        encoder: keras.Model,
        arguments: dict[str, Any],
        *,
        seed: int,
        base_classes: int,
    ) -> FewShotLearner:
        """The untrained learner.

        Args:
            encoder: Its encoder.
            arguments: What its constructor takes besides.
            seed: Seed of the weights that it adds to the encoder's, if any, unless
                the arguments have one.
            base_classes: Number of training classes.

        Raises:
            ValueError: When the learner does not take the arguments.
        """
        own = {"encoder", "base_classes", "kwargs"}
        parameters = inspect.signature(self.make).parameters
        accepted = [name for name in parameters if name not in own]
        if not set(arguments) <= set(accepted):
            raise ValueError(
                f"`learner_arguments` must be among those of a {self.title}, "
                f"{', '.join(accepted)}. Received: learner_arguments={arguments!r}"
            )
        if "seed" in accepted:
            arguments = {"seed": seed, **arguments}
        known = {"base_classes": base_classes} if self.trains_on == "examples" else {}
        return self.make(encoder, **known, **arguments)


LEARNERS: dict[str, LearnerKind] = {
    "baseline": LearnerKind("Baseline", Baseline, trains_on="examples"),
    "baseline_plus_plus": LearnerKind(
        "Baseline++", BaselinePlusPlus, trains_on="examples"
    ),
    "prototypical": LearnerKind("Prototypical Network", PrototypicalNetwork),
    "gaussian_prototypical": LearnerKind(
        "Gaussian Prototypical Network", GaussianPrototypicalNetwork
    ),
    "semi_supervised_prototypical": LearnerKind(
        "Semi-Supervised Prototypical Network", SemiSupervisedPrototypicalNetwork
    ),
    "matching": LearnerKind("Matching Network", MatchingNetwork),
    "relation": LearnerKind("Relation Network", RelationNetwork, "conv4_maps"),
    "siamese": LearnerKind("Siamese Network", SiameseNetwork),
}


def learner_kind(name: str) -> LearnerKind:
    """The entry of a name.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in LEARNERS:
        raise ValueError(
            f"`learner` must be one of {', '.join(LEARNERS)}. Received: "
            f"learner={name!r}"
        )
    return LEARNERS[name]
