"""What a run trains, validates and tests on, in words."""

from __future__ import annotations

from tfmeta.control_registry import PREFIX
from tfmeta.datasets.class_table import ClassTable
from tfmeta.registry import learner_entry
from tfmeta.runs.config import EpisodeConfig, TrainConfig


def describe_training(config: TrainConfig, train_table: ClassTable | None) -> str:
    """What a training step sees, e.g. "40-way 1-shot".

    Args:
        config: The run.
        train_table: The training classes, of which a learner of examples sees
            all; where it is `None` their number is left out.
    """
    if config.task == "regression":
        return _rows_in_words(config.training)
    if config.task == "control":
        return f"{config.train_tasks} tasks a step"
    if learner_entry(config.learner).trains_on == "episodes":
        least, most = config.training.least_shots, config.training.most_shots
        shots = f"{most}-shot" if least == most else f"{least}- to {most}-shot"
        return f"{config.training.ways}-way {shots}"
    batches = f"batches of {config.batch_size}"
    if train_table is None:
        return batches
    return f"{train_table.num_classes:,} classes, {batches}"


def describe_validation(config: TrainConfig) -> str:
    """What is validated on, e.g. "5-way 1-shot"."""
    if config.task == "regression":
        return _rows_in_words(config.validation)
    if config.task == "control":
        return f"{config.validation_episodes} tasks"
    return f"{config.validation.ways}-way {config.validation.shots}-shot"


def describe_run(config: TrainConfig) -> str:
    """What is trained and tested, in a sentence without its end.

    Args:
        config: The run.
    """
    entry, test = learner_entry(config.learner), config.test
    if config.task == "regression":
        return (
            f"trains a {entry.title} to predict {config.target_column} by "
            f"{config.task_column}, on tasks of {_rows_in_words(config.training)}, and "
            f"is tested on tasks of {_rows_in_words(test)}"
        )
    if config.task == "control":
        return (
            f"trains a {entry.title} on {config.dataset.removeprefix(PREFIX)}, "
            f"{describe_training(config, None)}, and is tested on others"
        )
    made = f"trains a {entry.title} on {describe_training(config, None)}"
    if entry.trains_on == "episodes":
        made += f" tasks with {_queries(config.training.queries)} a class"
    elif entry.trains_on == "nothing":
        made = f"makes a {entry.title}, which needs no training"
    return (
        f"{made}, and is tested on {test.ways}-way {test.shots}-shot tasks with "
        f"{_queries(test.queries)} a class"
    )


def _rows_in_words(task: EpisodeConfig) -> str:
    """E.g. "10 rows, 15 queries"."""
    return f"{task.shots} row{'' if task.shots == 1 else 's'}, {_queries(task.queries)}"


def _queries(count: int) -> str:
    return f"{count} {'query' if count == 1 else 'queries'}"
