"""How much memory the training of a learner with an inner loop will add."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmeta.learners.optimization_based.batch_learning import task_inputs
from tfmeta.learners.optimization_based.gradient_based_learner import (
    GradientBasedLearner,
)
from tfmeta.learners.optimization_based.meta_gradient import MetaGradient
from tfmeta.learners.optimization_based.task_map import is_vectorized, parallel_tasks

# Fitted to trainings of MAML and MAML++ with Conv4 of 64 filters, 1 and 5 steps, on
# Linux with glibc's allocator. TensorFlow starts operations as they become ready, and
# not in the order that keeps least.
_TIMES_SEQUENTIAL = 1.64
_BYTES_PER_OPERATION = 26_900
_BYTES_ANYWAY = 48 * 2**20

_SAME_BUFFER = frozenset(
    [
        "ExpandDims",
        "Identity",
        "IdentityN",
        "PreventGradient",
        "Reshape",
        "Squeeze",
        "StopGradient",
    ]
)
_IN_PLACE = frozenset(
    [
        "AddN",
        "AddV2",
        "BiasAdd",
        "Maximum",
        "Mul",
        "Neg",
        "RealDiv",
        "Relu",
        "ReluGrad",
        "Rsqrt",
        "Square",
        "Sub",
    ]
)
_KEPT_ANYWAY = frozenset(["Const", "Placeholder", "ReadVariableOp"])


def predict_training_memory(
    learner: GradientBasedLearner, inputs: dict[str, Any], y: Any
) -> int:
    """Predicts how far the process will grow when `fit` trains on such batches.

    The outer gradient of one task is traced, which takes as long as the first step of
    `fit` waits for it, and its tensors are followed in the order of the graph. On a
    CPU, tasks one by one.

    Args:
        learner: Compiled; its weights stay as they are.
        inputs: The inputs of a batch of episodes, with their final shapes.
        y: Labels or targets of the queries.

    Returns:
        Bytes: the peak of the process during `fit` less what it has before, with as
        many tasks at once as there are inter-op threads.

    Raises:
        ValueError: When the learner vectorizes its tasks, or is not compiled.

    Example:

    ```python
    learner.compile("adam")
    inputs, y = next(iter(episodes.as_dataset()))
    predict_training_memory(learner, inputs, y) / 2**20  # MiB
    ```
    """
    if learner.optimizer is None:
        raise ValueError(
            "`learner` must be compiled. Received: a learner without an optimizer"
        )
    if is_vectorized(learner.vectorize_tasks):
        raise ValueError(
            "`learner` must work on its tasks one by one for its memory to be "
            "predicted. Received: vectorized tasks"
        )
    tasks = task_inputs({k: tf.convert_to_tensor(v) for k, v in inputs.items()})
    tasks["y"] = tf.convert_to_tensor(y)
    spec = {k: tf.TensorSpec(v.shape[1:], v.dtype) for k, v in tasks.items()}
    spec["seed"] = tf.TensorSpec([2], tf.int32)
    peak = operations = 0
    for phase in learner.phases():
        graph = _graph_of_task(learner.make_meta_gradient(phase), spec)
        peak = max(peak, sequential_peak(graph))
        operations += len(graph.get_operations())
    count = int(tasks["y"].shape[0])
    weights = sum(_bytes_of(v) for v in learner.trainable_variables)
    # Adam's two moments, the mean gradient, and those of all tasks.
    of_weights = weights * (3 + count)
    at_once = min(parallel_tasks(), count)
    return round(
        _TIMES_SEQUENTIAL * at_once * peak
        + _BYTES_PER_OPERATION * operations
        + of_weights
        + _BYTES_ANYWAY
    )


def _graph_of_task(found: MetaGradient, spec: dict[str, tf.TensorSpec]) -> tf.Graph:
    @tf.function
    def of_task(task: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        return tf.nest.flatten(found.of_task(task))

    return of_task.get_concrete_function(spec).graph


def sequential_peak(graph: tf.Graph) -> int:
    """The most bytes that tensors of a graph take at once, run in its own order.

    Tensors without a static shape, constants and what is handed in count nothing.
    """
    needed = _needed(graph)
    root: dict[str, str] = {}
    size: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, operation in enumerate(needed):
        inputs = [root.get(t.name, t.name) for t in operation.inputs]
        last.update(dict.fromkeys(inputs, number))
        for index, tensor in enumerate(operation.outputs):
            if operation.type in _SAME_BUFFER:
                root[tensor.name] = inputs[index]
            elif operation.type in _KEPT_ANYWAY:
                size[tensor.name] = 0
            else:
                size[tensor.name] = _bytes_of(tensor)
    for tensor in graph.outputs:
        last[root.get(tensor.name, tensor.name)] = len(needed)
    dying: dict[int, list[str]] = {}
    for name, number in last.items():
        dying.setdefault(number, []).append(name)
    now = peak = 0
    for number, operation in enumerate(needed):
        freed = sum(size.get(name, 0) for name in dying.get(number, ()))
        made = sum(
            size[t.name] for t in operation.outputs if t.name in size and t.name in last
        )
        in_place = operation.type in _IN_PLACE
        peak = max(peak, now + made - (freed if in_place else 0))
        now += made - freed
    return peak


def _needed(graph: tf.Graph) -> list[tf.Operation]:
    """The operations that the outputs of a graph depend on, in its order."""
    names: set[str] = set()
    waiting = [tensor.op for tensor in graph.outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name not in names:
            names.add(operation.name)
            waiting += [tensor.op for tensor in operation.inputs]
    return [o for o in graph.get_operations() if o.name in names]


def _bytes_of(tensor: Any) -> int:
    shape, dtype = tf.TensorShape(tensor.shape), tf.as_dtype(tensor.dtype)
    if not shape.is_fully_defined() or dtype in (tf.resource, tf.variant, tf.string):
        return 0
    return int(shape.num_elements() or 0) * dtype.size
