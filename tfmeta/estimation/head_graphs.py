"""The graphs that fit heads, traced once for all heads of the same settings."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import tensorflow as tf

State = dict[str, tf.Tensor]
Fit = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], State]


def as_floats(features: np.ndarray) -> np.ndarray:
    """Features as heads take them: float64 as it is, all else as float32."""
    features = np.asarray(features)
    return features if features.dtype == np.float64 else features.astype(np.float32)


def fitting_graph(head: Any, dtype: np.dtype) -> Fit:
    """A graph that fits a head, for tasks of any size.

    A fit takes hundreds of steps, one by one without a graph, and tracing takes longer
    than a small fit. So there is one for all numbers of features, examples and classes,
    and for all heads that differ in their encoders alone.

    Args:
        head: A learner on features, as of `head_on_features`, that is not changed
            from here on.
        dtype: Of features and labels, float32 or float64.

    Returns:
        From features `(tasks, support, features)`, labels `(tasks, support, ways)`,
        one-hot times the weight of the row, and bool `(tasks, support)`, which rows
        are real, to the state.
    """
    config = head.get_config()
    settings = {k: v for k, v in config.items() if k not in ("name", "encoder")}
    digest = joblib.hash((type(head), settings, np.dtype(dtype).name))
    return _traced(_Settings(digest, head, np.dtype(dtype)))


@dataclasses.dataclass(frozen=True)
class _Settings:
    """A head by its settings."""

    digest: str
    head: Any = dataclasses.field(compare=False)
    dtype: np.dtype = dataclasses.field(compare=False)


@functools.lru_cache(maxsize=64)
def _traced(settings: _Settings) -> Fit:
    rows = tf.TensorSpec([None, None, None], settings.dtype)
    mask = tf.TensorSpec([None, None], tf.bool)

    @tf.function(input_signature=[rows, rows, mask])
    def fit(features: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor) -> State:
        return settings.head.adapt_embeddings(features, labels, support_mask=mask)

    # TensorFlow warns of retracing where functions of one name are traced in turn.
    concrete: Fit = fit.get_concrete_function()
    return concrete
