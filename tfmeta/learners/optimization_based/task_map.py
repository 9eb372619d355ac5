"""Mapping a function over the tasks of a batch."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal

import tensorflow as tf

from tfmeta.layers.empty_batch import blank_rows


def map_tasks(
    function: Callable[[Any], Any], tasks: Any, result: Any, *, vectorized: bool = False
) -> Any:
    """Calls a function for every task of a batch and stacks what it returns.

    The place of the formulation, of which there are two:

    - One task after the other, as many at once as there are inter-op threads, each a
      graph of single-task operations. On a CPU nothing else that was measured is as
      fast, for a metric learner's one large call per step is not to be had where
      every task has weights of its own.
    - Vectorized: every operation is rewritten into one for all tasks, as an
      accelerator wants it. Convolutions must be matrix products for that, see
      `tfmeta.layers.patch_convolution`; an operation that TensorFlow cannot rewrite
      becomes a loop. Run eagerly, tasks still come one after the other.

    Args:
        function: From one task to a nest of tensors.
        tasks: A nest of tensors with a leading task axis.
        result: The nest of `tf.TensorSpec` that the function returns.
        vectorized: Which of the two.

    Returns:
        What the function returned, with a leading task axis.
    """
    count = tf.nest.flatten(tasks)[0].shape[0]
    if not count:
        # Of no tasks nothing would be known but that there are none.
        # (An annotated name here is one that AutoGraph cannot transform, and says so.)
        missing = tf.constant(1)
        if count is None:
            count = tf.shape(tf.nest.flatten(tasks)[0])[0]
            missing = tf.cast(tf.equal(count, 0), tf.int32)

        def with_blank(part: Any) -> tf.Tensor:
            part = tf.convert_to_tensor(part)
            return tf.concat([part, blank_rows(part, missing)], axis=0)

        some = tf.nest.map_structure(with_blank, tasks)
        found = _map_some(function, some, result, vectorized=vectorized)
        return tf.nest.map_structure(lambda part: part[:count], found)
    return _map_some(function, tasks, result, vectorized=vectorized)


def _map_some(
    function: Callable[[Any], Any], tasks: Any, result: Any, *, vectorized: bool
) -> Any:
    """`map_tasks` of at least one task."""
    if vectorized and not tf.executing_eagerly():
        # Its results must be tensors, which variables are not.
        return tf.vectorized_map(
            lambda task: tf.nest.map_structure(tf.convert_to_tensor, function(task)),
            tasks,
        )
    return tf.map_fn(
        function,
        tf.nest.map_structure(tf.convert_to_tensor, tasks),
        fn_output_signature=result,
        parallel_iterations=None if tf.executing_eagerly() else parallel_tasks(),
    )


def is_vectorized(choice: bool | Literal["auto"]) -> bool:
    """Whether tasks are vectorized; `"auto"`: where TensorFlow has an accelerator."""
    if choice != "auto":
        return bool(choice)
    return bool(tf.config.list_physical_devices("GPU"))


def parallel_tasks() -> int:
    """How many tasks are worked on at once: one for each inter-op thread."""
    threads = tf.config.threading.get_inter_op_parallelism_threads()
    return threads or os.cpu_count() or 1
