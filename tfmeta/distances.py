"""Distances between embeddings; each knows which direction is closer."""

from __future__ import annotations

from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from tfmeta.layers.sphere import unit_vectors
from tfmeta.row_tables import of_each_row
from tfmeta.squares import pairwise_squares, root, wide_dtype


class Distance:
    """The distance of every embedding of one set to every one of another.

    A subclass implements `__call__` and says whether a smaller or a larger
    value is closer. `similarity` has the sign that a softmax wants, so that no
    learner ever negates on its own.

    A distance may say what it is a function of, so that whoever compares with very many
    can do so by one product of matrices.

    Attributes:
        smaller_is_closer: Which direction is closer.
        function_of: `"squares"`, `‖q − r‖²`, where the smaller one is closer, or
            `"cosines"`, where the larger one is; `None` for neither. Then `of_values`
            is that function.
    """

    smaller_is_closer: bool = True
    function_of: Literal["squares", "cosines"] | None = None

    def __call__(self, query: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        """Pairwise values; not finite where an embedding is not.

        Args:
            query: `(..., queries, features)`, any float dtype.
            reference: `(..., references, features)`, the same dtype.

        Returns:
            `(..., queries, references)`, float32, or float64 for float64.
        """
        raise NotImplementedError

    def similarity(self, query: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        """Pairwise values where larger is closer, shaped as by `__call__`."""
        value = self(query, reference)
        return -value if self.smaller_is_closer else value

    def of_values(self, values: np.ndarray) -> np.ndarray:
        """The distance where its squares, or cosines, are these; see `function_of`.

        Args:
            values: Float, of any shape; squares are not negative.

        Returns:
            The same shape, monotone in the values.
        """
        return values

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> Distance:
        """The distance of a `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="tfmeta")
class SquaredEuclidean(Distance):
    """`‖q − r‖²`, the Bregman divergence whose class centre is the mean.

    Example:

    ```python
    SquaredEuclidean()([[0.0, 0.0]], [[3.0, 4.0]])  # [[25.0]]
    ```
    """

    function_of = "squares"

    def __call__(self, query: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        """Pairwise squared distances; see `Distance.__call__`."""
        query, reference = _tensors(query, reference)
        return tf.cast(pairwise_squares(query, reference), query.dtype)


@keras.saving.register_keras_serializable(package="tfmeta")
class Euclidean(Distance):
    """`‖q − r‖`; its gradient at distance 0 is 0.

    Example:

    ```python
    Euclidean()([[0.0, 0.0]], [[3.0, 4.0]])  # [[5.0]]
    ```
    """

    function_of = "squares"

    def __call__(self, query: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        """Pairwise distances; see `Distance.__call__`."""
        query, reference = _tensors(query, reference)
        # Before the cast: the square of a distance may be too large or too small.
        return tf.cast(root(pairwise_squares(query, reference)), query.dtype)

    def of_values(self, values: np.ndarray) -> np.ndarray:
        """The root of squares."""
        return values**0.5


@keras.saving.register_keras_serializable(package="tfmeta")
class Cosine(Distance):
    """The cosine of the angle between embeddings: larger is closer.

    A positive scale of either changes nothing. A zero vector has cosine 0 with
    everything, and gradient 0.

    Example:

    ```python
    Cosine()([[1.0, 0.0]], [[2.0, 0.0], [0.0, 1.0]])  # [[1.0, 0.0]]
    ```
    """

    smaller_is_closer = False
    function_of = "cosines"

    def __call__(self, query: tf.Tensor, reference: tf.Tensor) -> tf.Tensor:
        """Pairwise cosines; see `Distance.__call__`."""
        query, reference = _tensors(query, reference)
        query, reference = (of_each_row(unit_vectors, x) for x in (query, reference))
        return tf.matmul(query, reference, transpose_b=True)


def _tensors(query: tf.Tensor, reference: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Both in float64 where they are, else in float32."""
    query, reference = tf.convert_to_tensor(query), tf.convert_to_tensor(reference)
    wide = wide_dtype(query, reference)
    return tf.cast(query, wide), tf.cast(reference, wide)


_BY_NAME: dict[str, type[Distance]] = {
    "squared_euclidean": SquaredEuclidean,
    "euclidean": Euclidean,
    "cosine": Cosine,
}


def get(distance: str | dict | Distance) -> Distance:
    """The distance of a name, of a serialized config, or the object itself.

    Raises:
        ValueError: For an unknown name.
        TypeError: For anything that is not a distance.
    """
    if isinstance(distance, str):
        if distance not in _BY_NAME:
            raise ValueError(
                f"`distance` must be one of {', '.join(sorted(_BY_NAME))}, or a "
                f"tfmeta.distances.Distance. Received: distance={distance!r}"
            )
        return _BY_NAME[distance]()
    if isinstance(distance, dict):
        distance = keras.saving.deserialize_keras_object(distance)
    if not isinstance(distance, Distance):
        raise TypeError(
            f"`distance` must be one of {', '.join(sorted(_BY_NAME))}, or a "
            f"tfmeta.distances.Distance. Received: {distance!r}"
        )
    return distance
