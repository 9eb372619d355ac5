"""Signatures of learners that adapt where they are served."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.export.endpoint import Endpoint
from tfmeta.export.example_spec import ExampleSpec
from tfmeta.export.label_checks import checked_labels, checked_targets
from tfmeta.learners.base import State
from tfmeta.learners.class_sums import at_least_float32
from tfmeta.learners.optimization_based.gradient_based_learner import (
    GradientBasedLearner,
)


def adaptation_endpoints(
    learner: GradientBasedLearner, examples: ExampleSpec
) -> list[Endpoint]:
    """The endpoints of a learner with an inner loop, the default one first.

    Args:
        learner: The learner; its gradient steps are part of the graph.
        examples: What it is to be served with.

    Returns:
        `classify`, from a support with its labels and queries to probabilities;
        `adapt`, from a support to the adapted state, one named tensor for each of
        its parts; and `classify_adapted`, from such a state and queries to
        probabilities. For regression `predict`, `adapt` and `predict_adapted`, where
        `support_labels` are targets.
    """
    is_regression = learner.task == "regression"
    dtype = tf.as_dtype(learner.encoder.variable_dtype)
    support = tf.TensorSpec([None, *examples.shape], examples.dtype, "support")
    query = tf.TensorSpec([None, *examples.shape], examples.dtype, "query")
    labels = tf.TensorSpec([None], tf.int32, "support_labels")
    if is_regression:
        labels = tf.TensorSpec([None, learner.ways], dtype, "support_labels")
    name, output = "classify", "probabilities"
    if is_regression:
        name, output = "predict", "predictions"

    def adapted(support: tf.Tensor, support_labels: tf.Tensor) -> State:
        most = None if learner.head == "prototypes" else learner.ways
        if is_regression:
            found = checked_targets(support, support_labels)
        else:
            found = checked_labels(support, support_labels, most_ways=most)
        # Without this an encoder could fail first, in words of its own.
        with tf.control_dependencies([found]):
            support = tf.identity(support)
        targets = found
        if not is_regression:
            targets = tf.one_hot(found, most or tf.reduce_max(found) + 1)
        return learner.adapt(support[tf.newaxis], targets[tf.newaxis], training=False)

    def answer(state: State, query: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = learner.predict_query(state, query[tf.newaxis], training=False)
        outputs = at_least_float32(outputs[0])
        return {output: outputs if is_regression else tf.nn.softmax(outputs)}

    def adapt(support: tf.Tensor, support_labels: tf.Tensor) -> State:
        state = adapted(support, support_labels)
        return {part: values[0] for part, values in state.items()}

    def at_once(
        support: tf.Tensor, support_labels: tf.Tensor, query: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return answer(adapted(support, support_labels), query)

    specs = _state_specs(learner, dtype)

    def from_state(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        *parts, query = tensors
        state = {
            spec.name: part[tf.newaxis] for spec, part in zip(specs, parts, strict=True)
        }
        return answer(state, query)

    return [
        Endpoint(name, at_once, (support, labels, query)),
        Endpoint("adapt", adapt, (support, labels)),
        Endpoint(f"{name}_adapted", from_state, (*specs, query)),
    ]


def _state_specs(
    learner: GradientBasedLearner, dtype: tf.DType
) -> tuple[tf.TensorSpec, ...]:
    """Of the parts of one task's state, in the order of their names in it."""
    shapes: list[tuple[int | None, ...]] = [*learner.adapted_shapes()]
    ways = learner.ways
    if learner.head == "prototypes":
        ways = None
        shapes[-2:] = [(shapes[-2][0], None), (None,)]
    names = learner.adapted_names()
    return (
        *(
            tf.TensorSpec(shape, dtype, name)
            for shape, name in zip(shapes, names, strict=True)
        ),
        tf.TensorSpec([ways], tf.bool, "present"),
        tf.TensorSpec([None], dtype, "batch_statistics"),
    )
