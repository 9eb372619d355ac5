"""Heads that can be fitted on features, and those that are tried for `"auto"`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import joblib
import keras
import numpy as np

from tfmeta.registry import LEARNERS, resolve

# A head that is chosen by cross-validation.
AUTO = "auto"

# By the name that people read: a learner and the arguments of its constructor. Few, as
# a choice among many would fit the folds by luck; of equally good ones the first.
HEADS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "logistic_regression": ("logistic_regression", {}),
    "logistic_regression, C=1": ("logistic_regression", {"C": 1.0}),
    "logistic_regression, C=100": ("logistic_regression", {"C": 100.0}),
    "simple_shot": ("simple_shot", {}),
}
# Where none can be tried: it is fitted at once, to any number of examples.
UNTRIED = "simple_shot"


def learners_without_training() -> tuple[str, ...]:
    """Names of the learners that can be a head: they learn from a support alone."""
    return tuple(n for n, entry in LEARNERS.items() if entry.trains_on == "nothing")


def head_on_features(name: str, features: int, **arguments: Any) -> Any:
    """A learner whose examples are features.

    Args:
        name: Name of a learner that needs no training, or a key of `HEADS`.
        features: Number of features.
        **arguments: Arguments of its constructor besides.

    Returns:
        The learner; its encoder gives back what it is given.

    Raises:
        ValueError: When there is no such head.

    Example:

    ```python
    head = head_on_features("logistic_regression", 1280, C=1.0)
    ```
    """
    learner, usual = HEADS.get(name, (name, {}))
    if learner not in learners_without_training():
        every = dict.fromkeys((*learners_without_training(), *HEADS))
        names = ", ".join(map(repr, every))
        raise ValueError(f"`head` must be one of {names}. Received: head={name!r}")
    given = keras.Input((features,), dtype="float32")
    same = keras.Model(given, keras.layers.Identity()(given), name="features")
    return resolve(LEARNERS[learner].path)(same, **{**usual, **arguments})


def in_their_span(features: np.ndarray) -> np.ndarray:
    """The same examples in fewer numbers, where there are less of them than numbers.

    Heads without training know features by their products alone, distances and lengths
    among them, and these stay: 50 examples of 1,280 numbers each are 50 examples of 50.

    Args:
        features: Float32 `(examples, features)`.

    Returns:
        Float32 `(examples, numbers)`.
    """
    if len(features) >= features.shape[1]:
        return features
    # With R from the rows as columns, features = Rᵀ Qᵀ, and Q keeps all products.
    triangle = np.linalg.qr(features.astype(np.float64).T, mode="r")
    return triangle.T.astype(np.float32)


def shared_head(name: str, features: int, **arguments: Any) -> Any:
    """`head_on_features` of these arguments, the same object whenever it is asked for.

    A head on features has nothing that is trained; making one takes longer than it
    takes to fit it. It is not to be changed.
    """
    wanted = (name, features, arguments)
    return _shared(_Wanted(joblib.hash(wanted), wanted))


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """Arguments of a head, which need not be hashable, by their content."""

    digest: str
    arguments: tuple[str, int, dict[str, Any]] = dataclasses.field(compare=False)


@functools.lru_cache(maxsize=64)
def _shared(wanted: _Wanted) -> Any:
    name, features, arguments = wanted.arguments
    return head_on_features(name, features, **arguments)
