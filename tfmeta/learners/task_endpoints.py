"""What any learner can be served by: its two verbs, at once or one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.learners.servable import RemembersOneByOne, Servable
from tfmeta.learners.served_answers import classified, predicted
from tfmeta.signatures.encoded_pictures import EncodedPictures
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec
from tfmeta.signatures.label_checks import (
    checked_labels,
    checked_targets,
    with_a_class,
)


def task_endpoints(learner: Servable, examples: ExampleSpec) -> list[Endpoint]:
    """Endpoints that adapt and answer in one request.

    None of them is batchable: the rows of a request are one task.

    Args:
        learner: The learner; all that its verbs do is part of the graph.
        examples: What it is to be served with.

    Returns:
        `classify`, from a support with its labels and queries to what
        `served_answers.py` says, for learners that use unlabelled examples
        `classify_with_unlabelled`, and where examples are pictures of bytes
        `classify_encoded`, of files of pictures. For regression `predict` and so on,
        where `support_labels` are targets.
    """
    served = _Served(learner, examples)
    endpoints = [Endpoint(served.name, served.at_once, served.task)]
    if learner.uses_unlabelled:
        inputs = (*served.task, _rows(examples, "unlabelled"))
        name = f"{served.name}_with_unlabelled"
        endpoints.append(Endpoint(name, served.with_unlabelled, inputs))
    files = _Files.of(learner, examples)
    if files is None:
        return endpoints

    def of_files(
        support: tf.Tensor, support_labels: tf.Tensor, query: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return served.at_once(
            files.decoded_support(support), support_labels, files.decode(query)
        )

    support, labels, _ = served.task
    return [
        *endpoints,
        Endpoint(
            f"{served.name}_encoded",
            of_files,
            (files.support(support), labels, files.query),
            takes_files=True,
        ),
    ]


def adaptation_endpoints(learner: Servable, examples: ExampleSpec) -> list[Endpoint]:
    """Endpoints that adapt in one request and answer in others.

    Args:
        learner: A learner whose state is a dict of tensors; see `state_spec`.
        examples: What it is to be served with.

    Returns:
        `adapt`, from a support to the adapted state, one named tensor for each of
        its parts; and `classify_adapted`, from such a state and queries to
        probabilities. Where examples are pictures of bytes, `adapt_encoded` and
        `classify_adapted_encoded` besides. For regression `predict_adapted` and so on.
    """
    served = _Served(learner, examples)
    parts = _parts(learner)
    support, labels, query = served.task
    adapted = f"{served.name}_adapted"

    def from_state(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        *values, query = tensors
        found = zip(parts, values, strict=True)
        answer = served.answer({s.name: v[tf.newaxis] for s, v in found}, query)
        return answer if served.is_regression else with_a_class(answer)

    endpoints = [
        Endpoint("adapt", served.adapt, (support, labels)),
        Endpoint(adapted, from_state, (*parts, query), takes_state=True),
    ]
    files = _Files.of(learner, examples)
    if files is None:
        return endpoints

    def adapt_files(support: tf.Tensor, support_labels: tf.Tensor) -> State:
        return served.adapt(files.decoded_support(support), support_labels)

    def files_from_state(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        *values, query = tensors
        return from_state(*values, files.decode(query))

    return [
        *endpoints,
        Endpoint(
            "adapt_encoded",
            adapt_files,
            (files.support(support), labels),
            takes_files=True,
        ),
        Endpoint(
            f"{adapted}_encoded",
            files_from_state,
            (*parts, files.query),
            takes_state=True,
            takes_files=True,
        ),
    ]


def memory_endpoints(
    learner: RemembersOneByOne, examples: ExampleSpec
) -> list[Endpoint]:
    """Endpoints that write to a memory example by example, and answer from it.

    Args:
        learner: A learner whose `adapt` goes on from a state, and which has one to
            begin with.
        examples: What it is to be served with.

    Returns:
        `begin`, from nothing to an empty state, one named tensor for each of its parts;
        `observe`, from a state, a support and its labels to the state after them; and
        those of `adaptation_endpoints`, of which `classify_adapted` answers from a
        state. Where examples are pictures of bytes, `observe_encoded` besides.
    """
    served = _Served(learner, examples)
    parts = _parts(learner)
    support, labels, _ = served.task

    def begin() -> State:
        return {name: part[0] for name, part in learner.begin(1).items()}

    def observe(*tensors: tf.Tensor) -> State:
        *values, support, labels = tensors
        found = zip(parts, values, strict=True)
        state = {s.name: v[tf.newaxis] for s, v in found}
        return served.adapt(support, labels, state)

    endpoints = [
        *adaptation_endpoints(learner, examples),
        Endpoint("begin", begin, ()),
        Endpoint("observe", observe, (*parts, support, labels), takes_state=True),
    ]
    files = _Files.of(learner, examples)
    if files is None:
        return endpoints

    def observe_files(*tensors: tf.Tensor) -> State:
        *values, support, labels = tensors
        return observe(*values, files.decoded_support(support), labels)

    return [
        *endpoints,
        Endpoint(
            "observe_encoded",
            observe_files,
            (*parts, files.support(support), labels),
            takes_state=True,
            takes_files=True,
        ),
    ]


def _parts(learner: Servable) -> tuple[tf.TensorSpec, ...]:
    """What a state is of, as arguments of an endpoint."""
    state = learner.state_spec(learner.fixed_ways)
    return tuple(tf.TensorSpec(s.shape, s.dtype, name) for name, s in state.items())


class _Served:
    """The two verbs of a learner, for one task without a leading axis.

    Args:
        learner: The learner.
        examples: What queries look like.
    """

    def __init__(self, learner: Servable, examples: ExampleSpec) -> None:
        self._learner = learner
        self.is_regression = learner.task == "regression"
        self.name = "predict" if self.is_regression else "classify"
        labels = tf.TensorSpec([None], tf.int32, "support_labels")
        if self.is_regression:
            labels = tf.TensorSpec(
                [None, learner.fixed_ways], learner.target_dtype, "support_labels"
            )
        self.task = (
            _rows(learner.support_spec(examples), "support"),
            labels,
            _rows(examples, "query"),
        )
        # One graph for all endpoints: that of an inner loop is large.
        self._adapted = _traced_once(self._adapt_checked)
        self.answer = _traced_once(self._answer)

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

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        state: State | None = None,
    ) -> State:
        found = self._checked(support, support_labels, all_present=state is None)
        with tf.control_dependencies([found]):
            support = tf.identity(support)
        going_on = {} if state is None else {"state": state}
        state = self._adapted(support, found, **going_on)
        return {part: values[0] for part, values in state.items()}

    def _answer(self, state: State, query: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self._learner.predict_query(state, query[tf.newaxis], training=False)
        return predicted(outputs[0]) if self.is_regression else classified(outputs[0])

    def _checked(
        self, support: tf.Tensor, labels: tf.Tensor, *, all_present: bool = True
    ) -> tf.Tensor:
        if self.is_regression:
            return checked_targets(support, labels)
        return checked_labels(
            support,
            labels,
            most_ways=self._learner.fixed_ways,
            all_present=all_present,
        )

    def _adapt_checked(
        self, support: tf.Tensor, labels: tf.Tensor, **unlabelled: tf.Tensor
    ) -> State:
        targets = labels
        if not self.is_regression:
            ways = self._learner.fixed_ways or tf.reduce_max(labels) + 1
            targets = tf.one_hot(labels, ways)
        return self._learner.adapt(
            support[tf.newaxis], targets[tf.newaxis], training=False, **unlabelled
        )


class _Files:
    """Files of pictures in place of examples.

    Args:
        pictures: What decodes them.
        support_too: Whether the support holds pictures as queries do.
    """

    query = tf.TensorSpec([None], tf.string, "query")

    def __init__(self, pictures: EncodedPictures, support_too: bool) -> None:
        self.decode = pictures.decode
        self._support_too = support_too

    @classmethod
    def of(cls, learner: Servable, examples: ExampleSpec) -> _Files | None:
        """Those of a learner, `None` where examples are no pictures of bytes."""
        pictures = EncodedPictures.of(learner.encoder, examples)
        if pictures is None:
            return None
        return cls(pictures, learner.support_spec(examples) == examples)

    def support(self, arrays: tf.TensorSpec) -> tf.TensorSpec:
        """What the support is: only what holds pictures holds files instead."""
        return (
            tf.TensorSpec([None], tf.string, "support") if self._support_too else arrays
        )

    def decoded_support(self, support: tf.Tensor) -> tf.Tensor:
        return self.decode(support) if self._support_too else support


def _traced_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, as one graph for all calls with tensors of the same kinds."""
    traced = tf.function(function)
    graphs: dict[str, Any] = {}

    def call(*tensors: Any, **named: tf.Tensor) -> Any:
        given = tf.nest.map_structure(
            lambda x: tf.TensorSpec(x.shape, x.dtype), (tensors, named)
        )
        if repr(given) not in graphs:
            graphs[repr(given)] = traced.get_concrete_function(*given[0], **given[1])
        return graphs[repr(given)](*tensors, **named)

    return call


def _rows(examples: ExampleSpec, name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None, *examples.shape], examples.dtype, name)
