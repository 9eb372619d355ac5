"""What a state looks like, found out without a task."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.servable import Servable


def traced_state_spec(learner: Servable, ways: int | None) -> dict[str, tf.TensorSpec]:
    """The specification of one task's state, from a trace of `adapt`.

    Args:
        learner: The learner; nothing of it is computed.
        ways: Classes of the task, `None` for any.

    Returns:
        A specification of each part, without the leading task axis.
    """
    examples = learner.support_spec(learner.example_spec())
    support = tf.TensorSpec([None, None, *examples.shape], examples.dtype)
    labels = tf.TensorSpec([None, None, ways], tf.float32)
    if learner.task == "regression":
        labels = tf.TensorSpec(labels.shape, learner.target_dtype)

    @tf.function(input_signature=[support, labels])
    def adapt(support: tf.Tensor, support_labels: tf.Tensor) -> dict[str, tf.Tensor]:
        return learner.adapt(support, support_labels, training=False)

    return tf.nest.map_structure(
        lambda part: tf.TensorSpec(part.shape[1:], part.dtype),
        adapt.get_concrete_function().structured_outputs,
    )
