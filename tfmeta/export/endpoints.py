"""The functions of tensors that an export writes as signatures."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.export.adaptation import adaptation_endpoints
from tfmeta.export.endpoint import Endpoint
from tfmeta.export.example_spec import ExampleSpec, example_spec
from tfmeta.export.label_checks import checked_labels
from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.class_sums import at_least_float32
from tfmeta.learners.metric_based.metric_learner import MetricLearner
from tfmeta.learners.optimization_based.gradient_based_learner import (
    GradientBasedLearner,
)


def make_endpoints(learner: FewShotLearner, examples: ExampleSpec) -> list[Endpoint]:
    """The endpoints of a learner, the default one first.

    Args:
        learner: Embeds only when it is a `MetricLearner`.
        examples: What it is to be served with.

    Returns:
        `embed` and, where `examples.float_too`, `embed_float`, both
        `(batch, *example)` to `(batch, *embedding)`; then `classify` and, for
        learners that use unlabelled examples, `classify_with_unlabelled`. Learners
        with an inner loop have those of `adaptation_endpoints`.
    """
    if isinstance(learner, GradientBasedLearner):
        return adaptation_endpoints(learner, examples)
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
        return {"embeddings": at_least_float32(embeddings[0])}

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
    labels = checked_labels(support, support_labels)
    # Without this an encoder could fail first, in words of its own.
    with tf.control_dependencies([labels]):
        support, query = tf.identity(support), tf.identity(query)
    one_hot = tf.one_hot(labels, tf.reduce_max(labels) + 1)
    state = learner.adapt(
        support[tf.newaxis], one_hot[tf.newaxis], training=False, **unlabelled
    )
    logits = learner.predict_query(state, query[tf.newaxis], training=False)
    return {"probabilities": tf.nn.softmax(at_least_float32(logits[0]))}
