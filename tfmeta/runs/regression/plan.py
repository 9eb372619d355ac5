"""What a run of regression is going to train."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable

from tfmeta.argument_names import renamed_arguments
from tfmeta.datasets.splits import SPLITS
from tfmeta.datasets.task_table import Standardization, TaskTable
from tfmeta.episodes import TaskEpisodes
from tfmeta.learners import FewShotLearner, StandardizedLearner
from tfmeta.runs.building import build_regression_learner
from tfmeta.runs.config import EpisodeConfig, TrainConfig, names_of_options
from tfmeta.runs.regression.data import load_whole, split_tasks, with_task_splits
from tfmeta.runs.training_plan import Prepared, TrainingPlan


@dataclasses.dataclass(frozen=True)
class TasksPlan(TrainingPlan):
    """All that a training on tasks of regression begins with.

    Attributes:
        tables: The tasks of each split, in the units of the data.
        training: The training episodes, standardized.
        validation: The validation episodes, standardized.
        learner: The untrained learner of what is standardized, compiled.
        standardization: Of the training tasks.
    """

    tables: dict[str, TaskTable]
    training: TaskEpisodes
    validation: TaskEpisodes
    learner: FewShotLearner
    standardization: Standardization

    def prepared(
        self,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_features: Callable[[int, int], None] | None = None,
    ) -> Prepared:
        """The learner of what is standardized; in the units of the data it is saved."""
        return Prepared(
            self.learner,
            lambda start: self.training.as_dataset(start=start),
            self.validation,
            whole=functools.partial(in_units, by=self.standardization),
        )


def in_units(learner: FewShotLearner, *, by: Standardization) -> StandardizedLearner:
    """The learner as it takes rows and targets of the data."""
    return StandardizedLearner(learner, *by)


def plan_regression(config: TrainConfig) -> TasksPlan:
    """Opens the tasks of a run and builds its learner; nothing is written.

    Args:
        config: The run.

    Raises:
        FileNotFoundError: When the CSV file is not there.
        ValueError: When it cannot be read, its tasks are too few or too small, or
            there is no such learner.
    """
    tables = split_tasks(load_whole(config), config.splits)
    if config.splits is None:
        config = with_task_splits(config, tables)
    by = tables["train"].standardization()
    with renamed_arguments({**names_of_options("training"), "tasks": "train_tasks"}):
        training = task_episodes(
            tables["train"].standardized(by),
            config.training,
            tasks=config.train_tasks,
            seed=config.seed,
        )
    # As many as divide the number, as for classes.
    together = next(n for n in (8, 5, 4, 3, 2, 1) if not config.validation_episodes % n)
    validation = task_episodes(
        tables["validation"].standardized(by),
        config.validation,
        tasks=together,
        seed=config.seed,
        in_turn=True,
    )
    training.check_disjoint(validation)
    return TasksPlan(
        config=config,
        validation_steps=config.validation_episodes // together,
        classes={s: sorted(tables[s].origins) for s in SPLITS if s != "test"},
        tables=tables,
        training=training,
        validation=validation,
        learner=build_regression_learner(config, tables["train"]),
        standardization=by,
    )


def untrained(config: TrainConfig) -> StandardizedLearner:
    """The learner of a run as it is before training.

    Raises:
        FileNotFoundError, ValueError: As `plan_regression`.
    """
    plan = plan_regression(config)
    return in_units(plan.learner, by=plan.standardization)


def task_episodes(
    table: TaskTable,
    task: EpisodeConfig,
    *,
    tasks: int,
    seed: int,
    in_turn: bool = False,
) -> TaskEpisodes:
    """The episodes of a part of a run.

    Raises:
        ValueError: When shots vary, or fewer than two tasks have enough rows.
    """
    if not isinstance(task.shots, int):
        raise ValueError(
            f"`shots` must be one number for regression. Received: shots={task.shots}"
        )
    episodes = TaskEpisodes(
        table,
        shots=task.shots,
        queries=task.queries,
        tasks=tasks,
        seed=seed,
        in_turn=in_turn,
    )
    if episodes.table.num_tasks < 2:
        raise ValueError(
            "`shots` + `queries` must be at most the rows of 2 tasks of each split or "
            f"more. Received: shots={task.shots}, queries={task.queries}, and of "
            f"{table.num_tasks} tasks of a split of {table.name!r} only "
            f"{episodes.table.task_names[0]!r} has as many"
        )
    return episodes
