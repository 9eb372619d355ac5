"""What a run is going to train, checked whole before anything is said or written."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection

import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.datasets.class_sizes import ClassSizes
from tfmeta.datasets.registry import DATASETS
from tfmeta.episodes import Episodes
from tfmeta.learners import FewShotLearner
from tfmeta.registry import is_pretrained, learner_entry
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.control.plan import plan_control
from tfmeta.runs.data import kind_of, load_split, own_splits, with_splits
from tfmeta.runs.feature_training import BehindFrozen, prepare_untrained
from tfmeta.runs.pretrained_encoder import encoder_name
from tfmeta.runs.regression.plan import plan_regression, untrained
from tfmeta.runs.seen_classes import classes_seen
from tfmeta.runs.sizing import check_tasks
from tfmeta.runs.training_data import open_training, validation_episodes
from tfmeta.runs.training_plan import Prepared, TrainingPlan


@dataclasses.dataclass(frozen=True)
class ClassesPlan(TrainingPlan):
    """All that a training on classes begins with.

    Attributes:
        train_table: The training classes.
        validation_table: The validation classes.
        validation: The validation episodes.
        training: The training batches from a step on; `None` without training steps.
        learner: The untrained learner, compiled.
    """

    train_table: ClassTable
    validation_table: ClassTable
    validation: Episodes
    training: Callable[[int], tf.data.Dataset] | None
    learner: FewShotLearner

    def prepared(
        self,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_features: Callable[[int, int], None] | None = None,
    ) -> Prepared:
        """The learner, or what is trained behind a frozen encoder in its place."""
        config, learner = self.config, self.learner
        usual = Prepared(learner, self.training, self.validation)
        if self.training is None:
            prepare_untrained(
                learner, self.train_table, data_dir=data_dir, on_progress=on_features
            )
            return usual
        behind = BehindFrozen.of(
            config,
            learner,
            self.train_table,
            self.validation_table,
            data_dir=data_dir,
            on_progress=on_features,
        )
        if behind is None:
            return usual
        validation, _ = validation_episodes(config, behind.validation_table)
        return Prepared(
            behind.learner,
            open_training(config, behind.train_table, validation),
            validation,
            whole=lambda _: behind.whole(config),
        )


def plan_training(
    config: TrainConfig,
    *,
    chosen: Collection[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> TrainingPlan:
    """Opens the data of a run and builds its learner; nothing is written.

    Args:
        config: The run.
        chosen: Names of the options that somebody chose, `None` for all of them.
        data_dir: Where data sets are kept, `None` for the default.

    Raises:
        FileNotFoundError: When the data are not there.
        ValueError: When the data do not allow such tasks or batches, there is no such
            learner or encoder, or they do not fit each other.
    """
    if config.task == "regression":
        return plan_regression(config)
    if config.task == "control":
        return plan_control(config)
    return plan_classification(config, chosen=chosen, data_dir=data_dir)


def plan_classification(
    config: TrainConfig,
    *,
    chosen: Collection[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> ClassesPlan:
    """As `plan_training`, of a run of classes."""
    if config.dataset not in DATASETS and config.splits is None:
        config = with_splits(config, own_splits(config, data_dir))
    train_table = load_split(config, "train", data_dir)
    validation_table = load_split(config, "validation", data_dir)
    if chosen is not None:
        check_tasks(
            config,
            chosen,
            {
                "train": ClassSizes.of(train_table),
                "validation": ClassSizes.of(validation_table),
            },
        )
    validation, validation_steps = validation_episodes(config, validation_table)
    trains = learner_entry(config.learner).trains_on != "nothing"
    training = open_training(config, train_table, validation) if trains else None
    learner = build_learner(config, train_table)
    return ClassesPlan(
        config=config,
        train_table=train_table,
        validation_table=validation_table,
        validation=validation,
        validation_steps=validation_steps,
        training=training,
        learner=learner,
        classes=classes_seen(
            train_table,
            validation_table,
            learns_from_them=trains or _learns_untrained(config, learner, train_table),
        ),
    )


def untrained_learner(
    config: TrainConfig, data_dir: str | os.PathLike[str] | None = None
) -> FewShotLearner:
    """The learner of a run with its first weights, of the examples of its data set.

    Raises:
        FileNotFoundError, ValueError: As `plan_training`.
    """
    if config.task == "regression":
        return untrained(config)
    if config.task == "control":
        return plan_control(config).learner
    return build_learner(config, load_split(config, "train", data_dir))


def _learns_untrained(
    config: TrainConfig, learner: FewShotLearner, train_table: ClassTable
) -> bool:
    """Whether a learner without training steps takes something from its classes."""
    fitted = not is_pretrained(encoder_name(config, kind_of(train_table)))
    return learner.needs_base_mean or fitted
