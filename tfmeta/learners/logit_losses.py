"""Losses and metrics of Keras as those of logits, whose labels are class numbers."""

from __future__ import annotations

import functools
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfmeta.losses import EmbeddingLoss

_SPARSE = "sparse_categorical_crossentropy"
# How Keras itself calls the cross-entropy that fits the shapes.
_SHORT = ("crossentropy", "ce")

_OF_NUMBERS = {
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "cosine_similarity",
    "log_cosh",
    "huber",
}
# Of a loss or a metric by task: what Keras has that is right as it is.
_RIGHT: dict[tuple[str, str], set[str]] = {
    ("loss", "classification"): {_SPARSE},
    ("loss", "regression"): _OF_NUMBERS,
    ("metric", "classification"): {
        _SPARSE,
        "sparse_categorical_accuracy",
        "sparse_top_k_categorical_accuracy",
    },
    ("metric", "regression"): {
        *_OF_NUMBERS,
        "root_mean_squared_error",
        "log_cosh_error",
        "r2_score",
        "concordance_correlation",
        "pearson_correlation",
    },
}
# For labels that are one-hot; with others Keras refuses the shapes.
_OF_ONE_HOT = {"categorical_crossentropy", "binary_crossentropy"}
# Keras' own that say nothing of what they are given.
_NEUTRAL = {"loss", "metric", "mean", "sum"}
_WRITE = {
    ("loss", "classification"): (
        'loss="sparse_categorical_crossentropy", or a function of integer labels and '
        "logits; for the squared error of scores loss=tfmeta.losses."
        "RelationScoreLoss()"
    ),
    ("loss", "regression"): 'loss="mean_squared_error"',
    ("metric", "classification"): 'metrics=["accuracy"]',
    ("metric", "regression"): 'metrics=["mean_squared_error"]',
}
_TAKES = {
    "classification": "the logits of a classification and integer labels",
    "regression": "the predictions of a regression, which are no classes",
}
_WRAPPERS = ("LossFunctionWrapper", "MeanMetricWrapper")


def logit_loss(loss: Any, *, task: str = "classification", dtype: Any = None) -> Any:
    """A loss that reads what a learner gives as logits.

    Args:
        loss: As for `compile`: a name, a class, a function or an instance of Keras,
            or its configuration; a list, tuple or dict that holds one of them; or a
            loss of one's own, which stays as it is.
        task: `"classification"`, whose labels are integers, or `"regression"`.
        dtype: Of the loss that a name stands for; by default Keras' float type.

    Returns:
        For the cross-entropy of Keras that with `from_logits=True`; for a name, a
        class or a function with the mean over real queries as its reduction, for an
        instance with its own.

    Raises:
        ValueError: When Keras would read logits as something else, or there are
            several losses for the one output.
    """
    found = list(_leaves(loss))
    if len(found) != 1:
        raise ValueError(
            "`loss` must be one loss: a learner has one output, and Keras trains on "
            f"the first of several alone. Received: loss={loss!r}"
        )
    loss = _made(found[0], "loss")
    if loss is None:
        return None
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
        loss = type(loss) if isinstance(loss, keras.losses.Loss) else loss
    if isinstance(loss, EmbeddingLoss):
        raise ValueError(
            f"`loss` must not be a loss of embeddings: it would take the "
            "logits for them. Write SiameseNetwork(encoder, objective="
            f"{type(loss).__name__}()). Received: loss={loss!r}"
        )
    name = _check(loss, "loss", task)
    if name is None:
        if task == "classification":
            _warn_where_nothing_is_learned(loss)
        return loss
    if isinstance(loss, keras.losses.Loss):
        if name != _SPARSE or _reads_logits(loss):
            return loss
        # Not by `copy`, which Keras answers by serialization.
        own = object.__new__(type(loss))
        own.__dict__.update(vars(loss))
        return _set_from_logits(own)
    options: dict[str, Any] = {"reduction": "mean_with_sample_weight", "dtype": dtype}
    if isinstance(loss, functools.partial):
        options.update(loss.keywords)
    if name == _SPARSE:
        options["from_logits"] = True
    return _class_of(keras.losses, name)(**options)


def logit_metrics(
    metrics: Any,
    *,
    task: str = "classification",
    dtype: Any = None,
    convert_instances: bool = False,
) -> list:
    """Metrics that read what a learner gives as logits.

    Args:
        metrics: As for `compile`, or `None`.
        task: `"classification"`, whose labels are integers, or `"regression"`.
        dtype: Of the metric that a name stands for; by default Keras' float type.
        convert_instances: Whether an instance without `from_logits` is replaced,
            which is refused otherwise: whoever holds it would read 0 from it.

    Raises:
        ValueError: When Keras would read logits as something else.
    """
    return [
        _logit_metric(metric, task, dtype, convert_instances)
        for metric in _leaves(metrics)
        if metric is not None
    ]


def _logit_metric(metric: Any, task: str, dtype: Any, convert: bool) -> Any:
    if isinstance(metric, str) and metric.lower() in ("accuracy", "acc"):
        # Keras chooses among its accuracies by the shapes, rightly for classes.
        _refuse(metric, "metric", task, when=task == "regression")
        return metric
    given, metric = metric, _made(metric, "metric")
    if isinstance(metric, str):
        metric = _made(keras.metrics.get(metric), "metric")
    if isinstance(metric, keras.losses.Loss):
        return logit_loss(metric, task=task, dtype=dtype)
    name = _check(metric, "metric", task)
    if name != _SPARSE:
        return given if isinstance(given, str) else metric
    if isinstance(given, str) or not isinstance(metric, keras.metrics.Metric):
        own = given if isinstance(given, str) else name
        further = getattr(metric, "keywords", {})
        return keras.metrics.SparseCategoricalCrossentropy(
            **{**further, "name": own, "from_logits": True, "dtype": dtype}
        )
    if _reads_logits(metric):
        return metric
    if not convert and isinstance(given, keras.metrics.Metric):
        raise ValueError(
            "`metrics` must read logits. Write keras.metrics."
            "SparseCategoricalCrossentropy(from_logits=True). Received: an instance "
            "with from_logits=False"
        )
    return _set_from_logits(metric)


def _warn_where_nothing_is_learned(loss: Any) -> None:
    """Warns of a loss of one's own that wrong answers of low logits do not move.

    As those that take probabilities: what is below 0 is cut to the least there is.
    """
    if not tf.executing_eagerly():
        return
    labels = tf.constant([[0, 1, 2]])
    logits = tf.constant([[[-9.0, -2.0, -3.0], [-1.0, -8.0, -4.0], [-2.0, -5.0, -7.0]]])
    try:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        gradient = tape.gradient(value, logits)
        moves = gradient is not None and bool(tf.reduce_any(gradient != 0))
    except Exception:  # It may take other shapes, and says so itself.
        return
    if not moves:
        warnings.warn(
            f"the loss {getattr(loss, '__name__', type(loss).__name__)!r} has no "
            "gradient at logits of wrong answers: training would change nothing. Does "
            "it take probabilities? Learners give logits; write from_logits=True",
            stacklevel=4,
        )


def _leaves(given: Any) -> Iterator[Any]:
    """What a nest of losses or metrics holds; a configuration is no nest."""
    if isinstance(given, dict) and "class_name" not in given:
        given = list(given.values())
    if isinstance(given, list | tuple):
        for part in given:
            yield from _leaves(part)
    elif given is not None:
        yield given


def _made(given: Any, kind: str) -> Any:
    """An instance of a configuration; `given` where it is none."""
    if isinstance(given, str) and given.lower() in _SHORT:
        return _SPARSE
    if isinstance(given, dict):
        module = keras.losses if kind == "loss" else keras.metrics
        return module.deserialize(given)
    if inspect.ismethod(given) and isinstance(
        given.__self__, keras.losses.Loss | keras.metrics.Metric
    ):
        given = given.__self__
    if inspect.isclass(given) and _is_of_keras(given):
        return given if kind == "loss" else given()
    if inspect.isclass(given) and issubclass(given, keras.losses.Loss):
        return given()
    return given


def _check(given: Any, kind: str, task: str) -> str | None:
    """The name of what is Keras' own and right for the task; `None` for others."""
    name = _keras_name(given)
    if name is None or name in _NEUTRAL:
        return None
    if name in _RIGHT[kind, task]:
        return name
    explicit = (kind, task) == ("loss", "classification") and _reads_logits(given)
    if explicit and name in _OF_ONE_HOT:
        return None
    _refuse(given, kind, task, when=True)
    return None


def _refuse(given: Any, kind: str, task: str, *, when: bool) -> None:
    if when:
        argument = "loss" if kind == "loss" else "metrics"
        name = given if isinstance(given, str) else _keras_name(given)
        raise ValueError(
            f"`{argument}` must be of {_TAKES[task]}. Write {_WRITE[kind, task]}. "
            f"Received: {name}"
        )


def _keras_name(given: Any) -> str | None:
    """Of a loss or metric of Keras its name in small letters, `None` for others."""
    while isinstance(given, functools.partial):
        given = given.func
    if not (inspect.isclass(given) or inspect.isfunction(given)):
        kind = _behaves_as(type(given))
        if kind is not None and kind.__name__ in _WRAPPERS:
            return _keras_name(getattr(given, "fn", None) or given._fn)
        given = kind
    if given is None or not _is_of_keras(given):
        return None
    # As Keras itself makes names of its classes.
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", given.__name__)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _behaves_as(kind: type) -> type | None:
    """The class of Keras that says what an instance computes."""
    for parent in kind.__mro__:
        if _is_of_keras(parent):
            return parent
        if {"call", "__call__", "update_state"} & vars(parent).keys():
            return None
    return None


def _is_of_keras(given: Any) -> bool:
    return str(getattr(given, "__module__", "")).split(".")[0] == "keras"


def _class_of(module: Any, name: str) -> Callable[..., Any]:
    return getattr(module, "".join(part.title() for part in name.split("_")))


def _reads_logits(given: Any) -> bool:
    options = getattr(given, "keywords", None) or getattr(given, "_fn_kwargs", {})
    return bool(options.get("from_logits", getattr(given, "from_logits", False)))


def _set_from_logits(given: Any) -> Any:
    given._fn_kwargs = {**given._fn_kwargs, "from_logits": True}
    if hasattr(given, "from_logits"):
        given.from_logits = True
    return given
