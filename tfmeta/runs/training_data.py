"""What a run trains and validates on."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, as_supervised
from tfmeta.registry import learner_entry
from tfmeta.runs.building import build_augmentation
from tfmeta.runs.config import TrainConfig, names_of_options


def validation_episodes(config: TrainConfig, table: ClassTable) -> tuple[Episodes, int]:
    """The fixed validation episodes, and in how many steps they come."""
    # Tasks of a step are encoded in one call: as many as divide the number.
    tasks = next(n for n in (8, 5, 4, 3, 2, 1) if config.validation_episodes % n == 0)
    episodes = Episodes(
        table,
        **config.validation,
        tasks=tasks,
        seed=config.seed,
        support=config.support,
    )
    return episodes, config.validation_episodes // tasks


def open_training(
    config: TrainConfig, train_table: ClassTable, validation: Episodes
) -> Callable[[int], tf.data.Dataset]:
    """The endless training batches, from any step on.

    Args:
        config: The run; its learner says whether it trains on episodes.
        train_table: The training classes.
        validation: The validation episodes.

    Returns:
        A function of the first step.

    Raises:
        ValueError: When the data do not allow such batches, or training and
            validation share a class.
    """
    augment = build_augmentation(config, train_table)
    if learner_entry(config.learner).trains_on == "episodes":
        with renamed_arguments(
            {**names_of_options("training"), "tasks": "train_tasks"}
        ):
            episodes = Episodes(
                train_table,
                **config.training,
                tasks=config.train_tasks,
                seed=config.seed,
                augment=augment,
                support=config.support,
            )
        episodes.check_disjoint(validation)
        return lambda start: episodes.as_dataset(start=start)

    shared = sorted(validation.origins & set(train_table.origins))
    if shared:
        raise ValueError(
            "training and validation must be disjoint in their classes. Received: "
            f"{len(shared)} shared, among them {', '.join(shared[:5])}"
        )

    if config.batch_size > train_table.num_examples:
        raise ValueError(
            "`batch_size` must be at most the number of training examples, "
            f"{train_table.num_examples}. Received: batch_size={config.batch_size}"
        )

    def batches(start: int) -> tf.data.Dataset:
        return as_supervised(
            train_table,
            batch_size=config.batch_size,
            seed=config.seed,
            epochs=None,
            start=start,
            # All batches of one shape: the step is traced once.
            drop_remainder=True,
            augment=augment,
        )

    return batches
