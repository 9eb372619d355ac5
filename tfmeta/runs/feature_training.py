"""Training on the features of a frozen encoder, each of them computed once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import keras

from tfmeta.datasets import ClassTable
from tfmeta.features import features_dir, features_of, frozen_part, on_frozen
from tfmeta.learners import FewShotLearner
from tfmeta.runs.building import compile_learner
from tfmeta.runs.config import TrainConfig

OnProgress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class BehindFrozen:
    """What is trained in place of a learner whose encoder begins with a frozen one.

    Attributes:
        frozen: From examples to features.
        learner: The learner of features, compiled.
        train_table: The training classes, features for examples.
        validation_table: The validation classes likewise.
    """

    frozen: keras.Model
    learner: FewShotLearner
    train_table: ClassTable
    validation_table: ClassTable

    @classmethod
    def of(
        cls,
        config: TrainConfig,
        learner: FewShotLearner,
        train_table: ClassTable,
        validation_table: ClassTable,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: OnProgress | None = None,
    ) -> BehindFrozen | None:
        """Takes a learner apart and computes the features of its tables.

        Args:
            config: The run.
            learner: The learner of examples.
            train_table: The training classes.
            validation_table: The validation classes.
            data_dir: Where features are kept, beside the data; `None` for the
                default.
            on_progress: Called for each table with the number of examples done, and
                of all.

        Returns:
            `None` where nothing is frozen, or examples are distorted and so never the
            same twice.
        """
        part = None if config.augment else frozen_part(learner)
        if part is None:
            return None
        compile_learner(config, part.learner)
        tables = (
            features_table(part.encoder, table, data_dir, on_progress)
            for table in (train_table, validation_table)
        )
        return cls(part.encoder, part.learner, *tables)

    def whole(self, config: TrainConfig) -> FewShotLearner:
        """The trained learner of examples: one file, served as any other."""
        whole = on_frozen(self.frozen, self.learner)
        compile_learner(config, whole)
        # Else the file would hold an optimizer without the variables it is to have.
        whole.optimizer.build(whole.trainable_variables)
        return whole


def features_table(
    encoder: keras.Model,
    table: ClassTable,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> ClassTable:
    """A table with features for examples, kept beside the data."""
    features = features_of(
        encoder,
        table.examples,
        cache_dir=features_dir(data_dir),
        progress=on_progress,
    )
    return dataclasses.replace(table, examples=features)


def prepare_untrained(
    learner: FewShotLearner,
    train_table: ClassTable,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """What a learner without training steps takes from the training classes.

    Args:
        learner: The learner; one that says `needs_base_mean` is given the mean of the
            embeddings of the training classes.
        train_table: The training classes.
        data_dir: Where features are kept, `None` for the default.
        on_progress: Called with the number of examples done, and of all.
    """
    if learner.needs_base_mean:
        table = features_table(learner.encoder, train_table, data_dir, on_progress)
        learner.fit_base_mean(table.examples)
