"""What any learner can be served by: its two verbs, at once or one by one."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.learners.servable import Servable
from tfmeta.signatures.encoded_pictures import EncodedPictures
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec
from tfmeta.signatures.label_checks import checked_labels, checked_targets
from tfmeta.squares import wide_dtype


def task_endpoints(learner: Servable, examples: ExampleSpec) -> list[Endpoint]:
    """Endpoints that adapt and answer in one request.

    Args:
        learner: The learner; all that its verbs do is part of the graph.
        examples: What it is to be served with.

    Returns:
        `classify`, from a support with its labels and queries to probabilities, and
        for learners that use unlabelled examples `classify_with_unlabelled`. For
        regression `predict`, where `support_labels` are targets.
    """
    served = _Served(learner, examples)
    endpoints = [Endpoint(served.name, served.at_once, served.task)]
    if learner.uses_unlabelled:
        inputs = (*served.task, _rows(examples, "unlabelled"))
        name = f"{served.name}_with_unlabelled"
        endpoints.append(Endpoint(name, served.with_unlabelled, inputs))
    return endpoints


def file_endpoints(
    learner: Servable, examples: ExampleSpec, files: EncodedPictures
) -> list[Endpoint]:
    """The first of `task_endpoints`, of files of pictures in place of arrays.

    Args:
        learner: The learner.
        examples: What it is to be served with.
        files: What decodes them.

    Returns:
        `classify_encoded`, for regression `predict_encoded`; only what holds pictures
        holds files instead.
    """
    served = _Served(learner, examples)
    support, labels, query = served.task
    both = learner.support_spec(examples) == examples

    def at_once(
        support: tf.Tensor, support_labels: tf.Tensor, query: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        if both:
            support = files.decode(support)
        return served.at_once(support, support_labels, files.decode(query))

    rows = tf.TensorSpec([None], tf.string, "query")
    first = tf.TensorSpec([None], tf.string, "support") if both else support
    return [
        Endpoint(
            f"{served.name}_encoded", at_once, (first, labels, rows), takes_files=True
        )
    ]


def adaptation_endpoints(learner: Servable, examples: ExampleSpec) -> list[Endpoint]:
    """Endpoints that adapt in one request and answer in others.

    Args:
        learner: A learner whose state is a dict of tensors; see `state_spec`.
        examples: What it is to be served with.

    Returns:
        `adapt`, from a support to the adapted state, one named tensor for each of
        its parts; and `classify_adapted`, from such a state and queries to
        probabilities. For regression `adapt` and `predict_adapted`.
    """
    served = _Served(learner, examples)
    state = learner.state_spec(learner.fixed_ways)
    parts = tuple(tf.TensorSpec(s.shape, s.dtype, name) for name, s in state.items())
    support, labels, query = served.task

    def from_state(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        *values, query = tensors
        found = zip(parts, values, strict=True)
        return served.answer({s.name: v[tf.newaxis] for s, v in found}, query)

    return [
        Endpoint("adapt", served.adapt, (support, labels)),
        Endpoint(
            f"{served.name}_adapted", from_state, (*parts, query), takes_state=True
        ),
    ]


class _Served:
    """The two verbs of a learner, for one task without a leading axis.

    Args:
        learner: The learner.
        examples: What queries look like.
    """

    def __init__(self, learner: Servable, examples: ExampleSpec) -> None:
        self._learner = learner
        self._is_regression = learner.task == "regression"
        self.name = "predict" if self._is_regression else "classify"
        labels = tf.TensorSpec([None], tf.int32, "support_labels")
        if self._is_regression:
            labels = tf.TensorSpec(
                [None, learner.fixed_ways], learner.target_dtype, "support_labels"
            )
        self.task = (
            _rows(learner.support_spec(examples), "support"),
            labels,
            _rows(examples, "query"),
        )

    def at_once(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        query: tf.Tensor,
        **unlabelled: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        found = self._checked(support, support_labels)
        # Without this an encoder could fail first, in words of its own.
        with tf.control_dependencies([found]):
            support, query = tf.identity(support), tf.identity(query)
        return self.answer(self._adapted(support, found, **unlabelled), query)

    def with_unlabelled(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        query: tf.Tensor,
        unlabelled: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        unlabelled = unlabelled[tf.newaxis]
        return self.at_once(support, support_labels, query, unlabelled=unlabelled)

    def adapt(self, support: tf.Tensor, support_labels: tf.Tensor) -> State:
        found = self._checked(support, support_labels)
        with tf.control_dependencies([found]):
            support = tf.identity(support)
        state = self._adapted(support, found)
        return {part: values[0] for part, values in state.items()}

    def answer(self, state: State, query: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self._learner.predict_query(state, query[tf.newaxis], training=False)
        outputs = tf.cast(outputs[0], wide_dtype(outputs))
        if self._is_regression:
            return {"predictions": outputs}
        return {"probabilities": tf.nn.softmax(outputs)}

    def _checked(self, support: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        if self._is_regression:
            return checked_targets(support, labels)
        return checked_labels(support, labels, most_ways=self._learner.fixed_ways)

    def _adapted(
        self, support: tf.Tensor, labels: tf.Tensor, **unlabelled: tf.Tensor
    ) -> State:
        targets = labels
        if not self._is_regression:
            ways = self._learner.fixed_ways or tf.reduce_max(labels) + 1
            targets = tf.one_hot(labels, ways)
        return self._learner.adapt(
            support[tf.newaxis], targets[tf.newaxis], training=False, **unlabelled
        )


def _rows(examples: ExampleSpec, name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None, *examples.shape], examples.dtype, name)
