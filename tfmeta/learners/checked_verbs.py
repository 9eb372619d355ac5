"""Every learner's verbs and steps, a user's own too, begin with their checks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.form_checks import (
    as_mask,
    as_tensor,
    check_query_labels,
    check_rows,
    check_state,
    check_support_labels,
)

Method = Callable[..., Any]


def check_verbs(learner_class: type) -> None:
    """Puts the checks in front of the verbs and steps that a class defines.

    What comes as lists or NumPy arrays is a tensor from then on.

    Args:
        learner_class: A class derived from `FewShotLearner`, when it is made.
    """
    for name, with_checks in _CHECKED.items():
        if name in vars(learner_class):
            setattr(learner_class, name, with_checks(vars(learner_class)[name]))


def checked_step(step: Method) -> Method:
    """A `train_step` or `test_step` that refuses batches of another form."""

    @functools.wraps(step)
    def checked(self: Any, data: Any) -> Any:
        check_batch(self, data)
        return step(self, data)

    return checked


@tf.autograph.experimental.do_not_convert
def check_batch(learner: Any, data: Any) -> None:
    """Refuses a batch `(inputs, y, sample_weight)` that the learner cannot take.

    Raises:
        TypeError, ValueError: As `check_episode` and `check_query_labels`.
    """
    inputs, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    learner.check_inputs(inputs)
    check_query_labels(learner, inputs, y, weight, loss=learner.loss)


def _checked_adapt(adapt: Method) -> Method:
    @functools.wraps(adapt)
    def checked(self: Any, support: Any, support_labels: Any, **options: Any) -> Any:
        # A learner that draws its own support has it in a form of its own.
        if support_labels is not None or self.labelled_support:
            support, support_labels, options = _support(
                self, support, support_labels, options
            )
            if options.get("state") is not None:
                _check_state(self, options["state"], "support", support)
        return adapt(self, support, support_labels, **options)

    return checked


def _checked_predict_query(predict_query: Method) -> Method:
    @functools.wraps(predict_query)
    def checked(self: Any, state: Any, query: Any, **options: Any) -> Any:
        if self.labelled_support:
            query, options = _query(self, state, query, options)
        return predict_query(self, state, query, **options)

    return checked


@tf.autograph.experimental.do_not_convert
def _support(
    learner: Any, support: Any, labels: Any, options: dict[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """The arguments of `adapt` as tensors of the right form."""
    if labels is None:
        raise ValueError(
            "`support_labels` must be (tasks, support, ways). Received: None"
        )
    support = as_tensor("support", support)
    labels = as_tensor("support_labels", labels)
    check_rows(learner, "support", support)
    check_support_labels(learner, support, labels)
    options = {**options}
    if options.get("unlabelled") is not None:
        options["unlabelled"] = as_tensor("unlabelled", options["unlabelled"])
        check_rows(learner, "unlabelled", options["unlabelled"])
    for name, rows in (("support", support), ("unlabelled", options.get("unlabelled"))):
        mask = f"{name}_mask"
        if mask in options:
            options[mask] = as_mask(mask, options[mask], rows)
    return support, labels, options


@tf.autograph.experimental.do_not_convert
def _query(
    learner: Any, state: Any, query: Any, options: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Queries and options of `predict_query` as tensors of the right form."""
    query = as_tensor("query", query)
    # Before the tasks are counted: an axis may be missing.
    if not tf.is_tensor(state):
        check_rows(learner, "query", query)
    _check_state(learner, state, "query", query)
    if "query_mask" in options:
        mask = as_mask("query_mask", options["query_mask"], query)
        options = {**options, "query_mask": mask}
    return query, options


@tf.autograph.experimental.do_not_convert
def _check_state(learner: Any, state: Any, name: str, rows: Any) -> None:
    check_state(state, name, rows)
    learner.check_state(state)


_CHECKED: dict[str, Callable[[Method], Method]] = {
    "adapt": _checked_adapt,
    "predict_query": _checked_predict_query,
    "train_step": checked_step,
    "test_step": checked_step,
}
