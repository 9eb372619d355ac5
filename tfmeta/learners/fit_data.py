"""What `fit`, `evaluate` and `predict` of a learner take as data."""

from __future__ import annotations

from typing import Any, NoReturn

import keras
import tensorflow as tf

# What a sequence of tasks has; see `tfmeta.episodes.task_sequence.TaskSequence`.
_TASK_SEQUENCE = ("tasks", "as_dataset", "describe")


def batches_of(data: Any, argument: str, steps: int | None, *, passes: int = 1) -> Any:
    """The batches of `Episodes`, or of another sequence of tasks; else the data.

    Args:
        data: What was given as `x` or `validation_data`.
        argument: What the number of steps is called.
        steps: The number.
        passes: How often so many steps are taken, each with batches of its own.

    Raises:
        ValueError: When a sequence of tasks is given without a number of steps.
        TypeError: When it is a table of examples, which has no tasks.
    """
    if hasattr(data, "examples") and hasattr(data, "class_names"):
        raise TypeError(
            "data must be batches. Write tfmeta.episodes.Episodes(table, ways=5), or "
            "tfmeta.episodes.as_supervised(table) for a learner that is trained on "
            f"all classes at once. Received: the table itself, {data!r}"
        )
    if not all(hasattr(data, name) for name in _TASK_SEQUENCE):
        return data
    if steps is None:
        _refuse_without_end(argument, f"{type(data).__name__} without it")
    return data.as_dataset(steps=steps * passes)


def check_has_end(
    data: Any, argument: str, steps: int | None, *, batch_size: int | None = None
) -> None:
    """Refuses data without an end where nobody says how many steps to take.

    Args:
        data: As `batches_of` returns it.
        argument: What the number of steps is called.
        steps: The number.
        batch_size: As for `fit`; a data set of batches has none.

    Raises:
        ValueError: When it would never end, or when there is a `batch_size` too many.
    """
    endless = False
    if isinstance(data, tf.data.Dataset):
        if batch_size is not None:
            raise ValueError(
                "`batch_size` must be None for batches that are made already. Write "
                "Episodes(..., tasks=) or dataset.batch() for another size. Received: "
                f"batch_size={batch_size}, and a tf.data.Dataset"
            )
        endless = bool(data.cardinality() == tf.data.INFINITE_CARDINALITY)
    elif isinstance(data, keras.utils.PyDataset):
        endless = data.num_batches is None
    if endless and steps is None:
        _refuse_without_end(argument, "data without an end, and without it")


def _refuse_without_end(argument: str, received: str) -> NoReturn:
    raise ValueError(
        f"`{argument}` must be given for data without an end. Write {argument}=100, or "
        f"end it, episodes.as_dataset(steps=100). Received: {received}"
    )
