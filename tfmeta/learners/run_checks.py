"""What `fit`, `evaluate` and `predict` refuse before the first step."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf


def check_steps(
    argument: str, steps: int | None, steps_per_execution: int | str
) -> None:
    """Refuses a number of steps that Keras would round up.

    An execution always takes `steps_per_execution` batches of an endless data set.

    Args:
        argument: What `steps` is called.
        steps: The number, `None` where the data set ends by itself.
        steps_per_execution: As `compile` took it.

    Raises:
        ValueError: When `steps` is no multiple, or nobody knows of what.
    """
    if isinstance(steps_per_execution, str):
        raise ValueError(
            "`steps_per_execution` must be a whole number: Keras changes it while it "
            "trains, and runs other numbers of steps than asked for. Received: "
            f"steps_per_execution={steps_per_execution!r}"
        )
    if steps is not None and steps % steps_per_execution:
        raise ValueError(
            f"`{argument}` must be a multiple of steps_per_execution="
            f"{steps_per_execution}: Keras would run "
            f"{math.ceil(steps / steps_per_execution) * steps_per_execution} steps. "
            f"Write compile(..., steps_per_execution="
            f"{math.gcd(steps, steps_per_execution)}), or another number. Received: "
            f"{argument}={steps}"
        )


def check_trainable(learner: Any) -> None:
    """Refuses to train what has no weight that training would change.

    Keras would go through all steps, and warn once.

    Args:
        learner: The learner.

    Raises:
        ValueError: When there is none.
    """
    if not learner.trainable_variables:
        encoder = getattr(learner, "encoder", None)
        which = "" if encoder is None else f" on the frozen encoder {encoder.name!r}"
        raise ValueError(
            "`fit` needs a weight to train. Use the learner as it is, or make its "
            "encoder trainable, encoder.trainable = True. Received: a "
            f"{type(learner).__name__}{which}, with nothing to train"
        )


def check_shares(
    data: Any, batch_size: int | None, replicas: int, *, training: bool
) -> None:
    """Refuses batches whose size is known and that replicas cannot share evenly.

    Args:
        data: What `fit` takes as `x`.
        batch_size: Of arrays; `None` for Keras' 32.
        replicas: Number of replicas.
        training: Whether gradients are taken. Examples without episodes are each
            counted by itself otherwise, and need no equal shares.

    Raises:
        ValueError: When one cannot.
    """
    if replicas == 1:
        return
    for inputs, size in _known_sizes(data, batch_size or 32):
        if (training or _is_episode(inputs)) and size % replicas:
            raise ValueError(f"{_words(inputs, replicas)} {size}")


def evenly_shared(data: Any, *, training: bool) -> Any:
    """The batch of a replica; refuses it when others have another size.

    For batches whose size is not known before. Costs nothing with one replica.

    Args:
        data: `(x, ...)`, what a step takes.
        training: As for `check_shares`.

    Raises:
        tf.errors.InvalidArgumentError: Where it runs, when replicas have no equal
            shares; see `refused_in_words`.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    inputs = data[0] if isinstance(data, tuple) else data
    if replicas == 1 or not (training or _is_episode(inputs)):
        return data
    own = tf.cast(tf.shape(tf.nest.flatten(inputs)[0])[0], tf.float32)
    total = tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, own
    )
    even = tf.debugging.Assert(
        total == own * replicas, [_words(inputs, replicas), total]
    )
    inputs = _after(even, inputs)
    return (inputs, *data[1:]) if isinstance(data, tuple) else inputs


def with_tasks(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The inputs; refuses those without a task, over which nothing has a mean.

    Raises:
        ValueError: When there is none.
        tf.errors.InvalidArgumentError: Where it runs, when the number is not known.
    """
    words = "`inputs` must hold at least one task. Received: a batch without any"
    tasks = inputs["support"].shape[0]
    if tasks == 0:
        raise ValueError(words)
    if tasks is not None:
        return inputs
    some = tf.debugging.assert_positive(tf.shape(inputs["support"])[0], words)
    return _after(some, inputs)


@contextlib.contextmanager
def refused_in_words() -> Iterator[None]:
    """Turns the refusal of `evenly_shared` into the error of `check_shares`.

    Raises:
        ValueError: In its place.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = re.search(
            r"\[(`\w+` must be a multiple of the \d+ replicas.*?)\] \[(\d+)",
            error.message,
        )
        if found is None:
            raise
        raise ValueError(" ".join(found.groups())) from None


def check_class_weight(data: Any, class_weight: Any) -> None:
    """Refuses weights of classes for episodes, whose ways are others in each.

    Raises:
        ValueError: When there are any.
    """
    episodes = any(_is_episode(inputs) for inputs, _ in _known_sizes(data, 32))
    if class_weight is not None and episodes:
        raise ValueError(
            "`class_weight` must be None for episodes: a way is another class in each. "
            "Write the weights of queries into the batches, (inputs, y, "
            f"sample_weight). Received: class_weight={class_weight!r}"
        )


def _known_sizes(data: Any, batch_size: int) -> Iterator[tuple[Any, int]]:
    """Inputs, or their specification, and the sizes of their batches, 0 if unknown."""
    if isinstance(data, tf.data.Dataset):
        spec = data.element_spec
        inputs = spec[0] if isinstance(spec, tuple) else spec
        first = tf.nest.flatten(inputs)[0].shape
        yield inputs, (first.rank and first[0]) or 0
        return
    leaves = tf.nest.flatten(data)
    shape = getattr(leaves[0], "shape", None) if leaves else None
    if shape is not None and len(shape) and shape[0] is not None:
        rows = int(shape[0])
        yield data, min(rows, batch_size)
        yield data, rows % batch_size


def _after(check: tf.Operation | None, inputs: Any) -> Any:
    """The inputs once a check has run, before any weight changes; eagerly it has."""
    with tf.control_dependencies([] if check is None else [check]):
        return tf.nest.map_structure(tf.identity, inputs)


def _is_episode(inputs: Any) -> bool:
    return isinstance(inputs, dict) and "support" in inputs


def _words(inputs: Any, replicas: int) -> str:
    named, write, unit = (
        "batch_size",
        f"batch_size={replicas}, or a multiple of that, with drop_remainder=True",
        "examples",
    )
    if _is_episode(inputs):
        named, unit = "tasks", "tasks"
        write = f"Episodes(..., tasks={replicas}), or a multiple of that"
    return (
        f"`{named}` must be a multiple of the {replicas} replicas, which share the "
        f"{unit} of a batch and average over their own. Write {write}. Received "
        f"{unit}:"
    )
