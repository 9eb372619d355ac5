"""A head that has learned from labelled features, held as arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.estimation.head_graphs import as_floats, fitting_graph
from tfmeta.estimation.heads import shared_head

# Numbers of queries that are asked at once.
_AT_ONCE = 2**23


@dataclasses.dataclass(frozen=True, eq=False)
class FittedHead:
    """A head and what it has learned; nothing of it is TensorFlow's, so it pickles.

    Attributes:
        name: As of `head_on_features`.
        arguments: Of its constructor.
        state: Its state of one task, `(1, ...)` each.

    Example:

    ```python
    head = FittedHead.fit("simple_shot", features, labels, 5)
    head.logits(queries).argmax(axis=1)
    ```
    """

    name: str
    arguments: Mapping[str, Any]
    state: Mapping[str, np.ndarray]

    @classmethod
    def fit(
        cls,
        name: str,
        features: np.ndarray,
        labels: np.ndarray,
        ways: int,
        *,
        weights: np.ndarray | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> FittedHead:
        """Learns from all examples.

        Args:
            name: As of `head_on_features`.
            features: Float32 or float64 `(examples, features)`, which what is computed
                follows.
            labels: Int `(examples,)`, in `[0, ways)`.
            ways: Number of classes.
            weights: `(examples,)`, for how many each example counts; 1 by default.
            arguments: Of the head's constructor.

        Raises:
            ValueError: When there is no such head.
        """
        features = as_floats(features)
        arguments = dict(arguments or {})
        one_hot = np.eye(ways, dtype=features.dtype)[np.asarray(labels)]
        if weights is not None:
            one_hot *= np.asarray(weights, features.dtype)[:, None]
        head = shared_head(name, features.shape[1], **arguments)
        real = np.ones((1, len(features)), bool)
        state = fitting_graph(head, features.dtype)(
            *map(tf.constant, (features[None], one_hot[None], real))
        )
        return cls(name, arguments, {k: part.numpy() for k, part in state.items()})

    def logits(self, queries: np.ndarray) -> np.ndarray:
        """Logits of queries, `(queries, ways)`, by parts of bounded size.

        Args:
            queries: `(queries, features)`, of the dtype of the fit.

        Returns:
            In the same dtype; `-inf` for classes without an example.
        """
        queries = as_floats(queries)
        head = shared_head(self.name, queries.shape[1], **self.arguments)
        state = {name: tf.constant(part) for name, part in self.state.items()}
        size = max(1, _AT_ONCE // queries.shape[1])
        # No query is a part, too: it says how many classes there are.
        starts = range(0, max(1, len(queries)), size)
        parts = (tf.constant(queries[at : at + size])[None] for at in starts)
        return np.concatenate(
            [head.compare_embeddings(state, part)[0].numpy() for part in parts]
        )
