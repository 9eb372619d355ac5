"""The learners that a run can train, by name."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, Literal

import keras

from tfmeta.learners import (
    ANIL,
    MAML,
    Baseline,
    BaselinePlusPlus,
    FewShotLearner,
    GaussianPrototypicalNetwork,
    LSTMMetaLearner,
    MAMLPlusPlus,
    MatchingNetwork,
    MetaSGD,
    PrototypicalNetwork,
    RelationNetwork,
    Reptile,
    SemiSupervisedPrototypicalNetwork,
    SiameseNetwork,
)


def cosine_adam(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Adam, whose rate falls to 0 along a cosine."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=steps)
    return keras.optimizers.Adam(schedule)


def clipped_adam(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """As `cosine_adam`, with gradients of at most the norm of the LSTM's paper."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=steps)
    return keras.optimizers.Adam(schedule, global_clipnorm=0.25)


def linear_sgd(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Plain SGD, whose rate, the meta-step of Reptile, falls to 0 along a line."""
    schedule = keras.optimizers.schedules.PolynomialDecay(learning_rate, steps, 0.0)
    return keras.optimizers.SGD(schedule)


@dataclasses.dataclass(frozen=True)
class LearnerKind:
    """How a run builds and names a learner.

    Attributes:
        title: What people call it.
        make: The learner of an encoder and keyword arguments.
        encoder: Name of the encoder for pictures, a key of
            `tfmeta.runs.building.PICTURE_ENCODERS`.
        make_optimizer: The optimizer of the outer loop, of its first learning rate
            and the number of training steps.
        trains_on: `"episodes"`, or `"examples"` for a learner that trains on plain
            batches of all classes at once, whose number `make` is then given as
            `base_classes`.
    """

    title: str
    make: Callable[..., FewShotLearner]
    encoder: str = "conv4"
    trains_on: Literal["episodes", "examples"] = "episodes"
    make_optimizer: Callable[[float, int], keras.optimizers.Optimizer] = cosine_adam

    @property
    def has_inner_loop(self) -> bool:
        """Whether the learner adapts by steps of an inner rule."""
        return "inner_steps" in _parameters(self.make)

    def build(
        self,
        encoder: keras.Model,
        arguments: dict[str, Any],
        *,
        seed: int,
        base_classes: int,
        ways: int,
    ) -> FewShotLearner:
        """The untrained learner.

        Args:
            encoder: Its encoder.
            arguments: What its constructor takes besides.
            seed: Seed of the weights that it adds to the encoder's, if any, unless
                the arguments have one.
            base_classes: Number of training classes.
            ways: Classes of a training task.

        Raises:
            ValueError: When the learner does not take the arguments.
        """
        accepted = [n for n in _parameters(self.make) if n not in _GIVEN]
        if not set(arguments) <= set(accepted):
            raise ValueError(
                f"`learner_arguments` must be among those of a {self.title}, "
                f"{', '.join(accepted)}. Received: learner_arguments={arguments!r}"
            )
        if "seed" in accepted:
            arguments = {"seed": seed, **arguments}
        known: dict[str, Any] = {}
        if self.trains_on == "examples":
            known["base_classes"] = base_classes
        if "ways" in _parameters(self.make):
            is_free = arguments.get("head") == "prototypes"
            known["ways"] = None if is_free else ways
        return self.make(encoder, **known, **arguments)


# Arguments that follow from the rest of a run's configuration.
_GIVEN = ("self", "encoder", "base_classes", "ways", "task", "kwargs", "args")


def _parameters(make: Callable[..., FewShotLearner]) -> list[str]:
    """Names of the arguments of a learner, those of its bases included."""
    kinds = inspect.getmro(make) if inspect.isclass(make) else (make,)
    names: dict[str, None] = {}
    for kind in kinds:
        if kind is FewShotLearner:
            break
        if "__init__" in vars(kind) or not inspect.isclass(kind):
            names.update(dict.fromkeys(inspect.signature(kind).parameters))
    return list(names)


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
    "maml": LearnerKind("MAML", MAML),
    "anil": LearnerKind("ANIL", ANIL),
    "meta_sgd": LearnerKind("Meta-SGD", MetaSGD),
    "maml_plus_plus": LearnerKind("MAML++", MAMLPlusPlus),
    "reptile": LearnerKind("Reptile", Reptile, make_optimizer=linear_sgd),
    "lstm": LearnerKind(
        "LSTM Meta-Learner",
        LSTMMetaLearner,
        make_optimizer=clipped_adam,
    ),
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
