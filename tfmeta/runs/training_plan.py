"""What a run is going to train, whatever it is of."""

from __future__ import annotations

import abc
import dataclasses
import os
from collections.abc import Callable

import tensorflow as tf

from tfmeta.episodes import EpisodeSequence
from tfmeta.learners import FewShotLearner
from tfmeta.runs.config import TrainConfig


def as_it_is(learner: FewShotLearner) -> FewShotLearner:
    """The learner itself."""
    return learner


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What the steps of a training work with.

    Attributes:
        learner: The learner that is trained, compiled.
        training: The training batches from a step on; `None` without training steps.
        validation: The validation episodes.
        whole: From the trained learner to the one that is saved, which takes the
            examples of the data set.
    """

    learner: FewShotLearner
    training: Callable[[int], tf.data.Dataset] | None
    validation: EpisodeSequence
    whole: Callable[[FewShotLearner], FewShotLearner] = as_it_is


@dataclasses.dataclass(frozen=True)
class TrainingPlan(abc.ABC):
    """All that a training begins with.

    Attributes:
        config: The run; of the user's own data it says how they are split.
        validation_steps: In how many steps the validation episodes come.
        classes: What training sees, as `classes_seen` says it: origins of classes, of
            regression those of tasks.
    """

    config: TrainConfig
    validation_steps: int
    classes: dict[str, list[str]]

    @abc.abstractmethod
    def prepared(
        self,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_features: Callable[[int, int], None] | None = None,
    ) -> Prepared:
        """What is trained, made ready.

        Args:
            data_dir: Where data sets are kept, `None` for the default.
            on_features: Called with the number of examples whose features are
                computed, and of all, for each table; of a run on a frozen encoder.
        """
