"""The functions of tensors that an export writes as signatures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfmeta.export.example_spec import ExampleSpec, example_spec
from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.metric_based.metric_learner import MetricLearner


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A function and the named tensors it takes.

    Args:
        name: Name of the signature.
        function: Returns a dict of named tensors.
        inputs: Specifications of its arguments, in order, with their names.
    """

    name: str
    function: Callable[..., dict[str, tf.Tensor]]
    inputs: tuple[tf.TensorSpec, ...]


def make_endpoints(learner: FewShotLearner, examples: ExampleSpec) -> list[Endpoint]:
    """The endpoints of a learner, the default one first.

    Args:
        learner: Embeds only when it is a `MetricLearner`.
        examples: What it is to be served with.

    Returns:
        `embed` and, where `examples.float_too`, `embed_float`, both
        `(batch, *example)` to `(batch, *embedding)`; then `classify` and, for
        learners that use unlabelled examples, `classify_with_unlabelled`.
    """
    endpoints = []
    if isinstance(learner, MetricLearner):
        # Servers put requests together along the first dimension, which only
        # `embed` allows: hence it is the default.
        endpoints.append(_embed_endpoint(learner, "embed", examples, examples.dtype))
        if examples.float_too:
            endpoints.append(
                _embed_endpoint(learner, "embed_float", examples, tf.float32)
            )
    endpoints.append(_classify_endpoint(learner, examples))
    if learner.uses_unlabelled:
        endpoints.append(_classify_with_unlabelled_endpoint(learner, examples))
    return endpoints


def _embed_endpoint(
    learner: MetricLearner, name: str, spec: ExampleSpec, dtype: tf.DType
) -> Endpoint:
    def embed(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        embeddings = learner.embed(examples[tf.newaxis], training=False)
        return {"embeddings": _at_least_float32(embeddings[0])}

    inputs = (tf.TensorSpec([None, *spec.shape], dtype, "examples"),)
    return Endpoint(name, embed, inputs)


def _classify_endpoint(learner: FewShotLearner, spec: ExampleSpec) -> Endpoint:
    def classify(
        support: tf.Tensor, support_labels: tf.Tensor, query: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return _classify(learner, support, support_labels, query)

    return Endpoint("classify", classify, _task_inputs(learner, spec))


def _classify_with_unlabelled_endpoint(
    learner: FewShotLearner, spec: ExampleSpec
) -> Endpoint:
    def classify(
        support: tf.Tensor,
        support_labels: tf.Tensor,
        query: tf.Tensor,
        unlabelled: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        return _classify(
            learner, support, support_labels, query, unlabelled=unlabelled[tf.newaxis]
        )

    unlabelled = tf.TensorSpec([None, *spec.shape], spec.dtype, "unlabelled")
    inputs = (*_task_inputs(learner, spec), unlabelled)
    return Endpoint("classify_with_unlabelled", classify, inputs)


def _task_inputs(
    learner: FewShotLearner, spec: ExampleSpec
) -> tuple[tf.TensorSpec, ...]:
    of_support = spec
    if learner.support_encoder is not learner.encoder:
        of_support = example_spec(learner.support_encoder, None)
    return (
        tf.TensorSpec([None, *of_support.shape], of_support.dtype, "support"),
        tf.TensorSpec([None], tf.int32, "support_labels"),
        tf.TensorSpec([None, *spec.shape], spec.dtype, "query"),
    )


def _classify(
    learner: FewShotLearner,
    support: tf.Tensor,
    support_labels: tf.Tensor,
    query: tf.Tensor,
    **unlabelled: tf.Tensor,
) -> dict[str, tf.Tensor]:
    labels = _checked_labels(support, support_labels)
    # Without this an encoder could fail first, in words of its own.
    with tf.control_dependencies([labels]):
        support, query = tf.identity(support), tf.identity(query)
    one_hot = tf.one_hot(labels, tf.reduce_max(labels) + 1)
    state = learner.adapt(
        support[tf.newaxis], one_hot[tf.newaxis], training=False, **unlabelled
    )
    logits = learner.predict_query(state, query[tf.newaxis], training=False)
    return {"probabilities": tf.nn.softmax(_at_least_float32(logits[0]))}


def _checked_labels(support: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The labels, available only when they are 0 to ways - 1, each present."""
    rows = tf.shape(support)[0]
    labels = _require(
        tf.equal(tf.shape(labels)[0], rows),
        "`support_labels` must have one label for each support example. Received: "
        "(support, support_labels) of length",
        tf.stack([rows, tf.shape(labels)[0]]),
        labels,
    )
    labels = _require(
        rows > 0,
        "`support` must have at least one example. Received: support of length",
        rows,
        labels,
    )
    labels = _require(
        tf.reduce_all(labels >= 0),
        "`support_labels` must not be negative. Received: support_labels =",
        labels,
        labels,
    )
    # Counted without a table as long as the highest label, which may be huge.
    found = tf.size(tf.unique(labels).y)
    return _require(
        tf.equal(found - 1, tf.reduce_max(labels)),
        "`support_labels` must be 0 to ways - 1 without a gap: number the classes "
        "of the task in order. Received: support_labels =",
        labels,
        labels,
    )


def _require(
    condition: tf.Tensor, message: str, received: tf.Tensor, value: tf.Tensor
) -> tf.Tensor:
    """`value`, which nothing can use unless the condition holds."""
    check = tf.debugging.Assert(condition, [message, received], summarize=32)
    with tf.control_dependencies([check]):
        return tf.identity(value)


def _at_least_float32(x: tf.Tensor) -> tf.Tensor:
    """Many clients know no half precision."""
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
