"""The learners that a run can train, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from tfmeta.learners import FewShotLearner, PrototypicalNetwork


@dataclasses.dataclass(frozen=True)
class LearnerKind:
    """How a run builds and names a learner.

    Attributes:
        title: What people call it.
        make: The learner of an encoder and keyword arguments.
        encoder: Name of the encoder for pictures, a key of
            `tfmeta.runs.building.PICTURE_ENCODERS`.
    """

    title: str
    make: Callable[..., FewShotLearner]
    encoder: str = "conv4"

    def build(self, encoder: keras.Model, arguments: dict[str, Any]) -> FewShotLearner:
        """The untrained learner.

        Raises:
            ValueError: When the learner does not take the arguments.
        """
        try:
            return self.make(encoder, **arguments)
        except TypeError as error:
            raise ValueError(
                f"`learner_arguments` must be what {self.title} takes. Received: "
                f"learner_arguments={arguments!r} ({error})"
            ) from error


LEARNERS: dict[str, LearnerKind] = {
    "prototypical": LearnerKind("Prototypical Network", PrototypicalNetwork),
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
