"""Embeddings that know the whole support set."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.layers.empty_batch import apply_to_rows
from tfmeta.seeds import spawn_seeds


@keras.saving.register_keras_serializable(package="tfmeta")
class FullContext(keras.layers.Layer):
    """The full-context embeddings of Matching Networks.

    A support embedding is read in the company of the others by a bidirectional
    LSTM with a skip connection, and a query embedding by an LSTM that looks at
    the support `steps` times (the paper's appendix A):

    ```
    g(x_i, S) = h_forward_i + h_backward_i + g'(x_i)

    h^_k, c_k = LSTM(f'(x), [h_{k-1}, r_{k-1}], c_{k-1})
    h_k       = h^_k + f'(x),              f(x, S) = h_steps
    r_{k-1}   = sum_i a(h_{k-1}, g(x_i, S)) g(x_i, S)
    a(h, g_i) = softmax_i(h . g_i)
    ```

    with `h_0 = c_0 = 0`, so that the first look is the mean of the support.

    A support set has no order, a recurrent layer needs one, and the paper leaves
    it open. Here rows are put in the order of a fixed projection of their
    embeddings: the order in which they come, and the numbers of the classes,
    change nothing. (Only equal embeddings of different classes have no order of
    their own.)

    Args:
        features: Length of an embedding.
        steps: Times that a query looks at the support.
        seed: Seed of the weights; `None` for others at every call.

    Reference:
        Oriol Vinyals, Charles Blundell, Timothy Lillicrap, Koray Kavukcuoglu
        and Daan Wierstra, 2016, Matching Networks for One Shot Learning.
    """

    def __init__(
        self, features: int, *, steps: int = 5, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.features = features
        self.steps = steps
        self.seed = seed
        seeds = iter(spawn_seeds(seed, 6, stream="full_context"))

        def options(name: str) -> dict[str, Any]:
            return {
                "kernel_initializer": keras.initializers.GlorotUniform(next(seeds)),
                "recurrent_initializer": keras.initializers.Orthogonal(
                    seed=next(seeds)
                ),
                "dtype": self.dtype_policy,
                "name": name,
            }

        self.forward = keras.layers.LSTM(
            features, return_sequences=True, **options("forward")
        )
        self.backward = keras.layers.LSTM(
            features, return_sequences=True, **options("backward")
        )
        self.reader = keras.layers.LSTMCell(features, **options("reader"))
        # Weights exist before the first episode.
        self.forward.build((None, None, features))
        self.backward.build((None, None, features))
        self.reader.build((None, 2 * features))
        self.built = True

    def support_order(self, embeddings: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        """Rows in an order of their own, padding last.

        Args:
            embeddings: `(tasks, support, features)`.
            real: `(tasks, support)` bool.

        Returns:
            Int32 `(tasks, support)`: which row comes first, second, ...
        """
        # Whole numbers have cosines that no rational factors combine to 0: only
        # equal rows come to one number.
        direction = tf.constant(np.cos(np.arange(self.features)), embeddings.dtype)
        # Not a matrix product, whose rounding may depend on the place of a row.
        place = tf.reduce_sum(embeddings * direction, axis=-1)
        last = tf.constant(float("inf"), place.dtype)
        return tf.argsort(tf.where(real, place, last), axis=1, stable=True)

    def embed_support(self, embeddings: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        """`g(x_i, S)`.

        Args:
            embeddings: `(tasks, support, features)`, rows as `support_order` puts
                them.
            real: `(tasks, support)` bool: the first rows of each task.

        Returns:
            The same shape and dtype; what stands in padded rows has no meaning.
        """
        lengths = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
        # Padding comes after the real rows in both directions, where it is read
        # too late to change them.
        backwards = tf.reverse_sequence(embeddings, lengths, seq_axis=1)
        backwards = tf.reverse_sequence(
            self._read_in_order(self.backward, backwards), lengths, seq_axis=1
        )
        context = self._read_in_order(self.forward, embeddings) + backwards
        return embeddings + tf.cast(context, embeddings.dtype)

    def embed_query(
        self, embeddings: tf.Tensor, support: tf.Tensor, real: tf.Tensor
    ) -> tf.Tensor:
        """`f(x, S)`.

        Args:
            embeddings: `(tasks, queries, features)`.
            support: `(tasks, support, features)`, from `embed_support`.
            real: `(tasks, support)` bool.

        Returns:
            The shape and dtype of `embeddings`.
        """
        shape = tf.shape(embeddings)
        flat = tf.reshape(embeddings, [-1, self.features])
        hidden = tf.zeros_like(embeddings)
        cell = tf.zeros_like(flat)
        # The softmax of nothing would not be a number.
        seen = real | ~tf.reduce_any(real, axis=1, keepdims=True)
        never = tf.constant(float("-inf"), embeddings.dtype)
        for _ in range(self.steps):
            match = tf.matmul(hidden, support, transpose_b=True)
            attention = tf.nn.softmax(tf.where(seen[:, None, :], match, never))
            read = tf.reshape(tf.matmul(attention, support), [-1, self.features])
            # A matrix on [h, r] is one on h and one on r: that on r stands among
            # the input weights of Keras' cell.
            before = tf.reshape(hidden, [-1, self.features])
            after = apply_to_rows(
                self._read_step, tf.concat([flat, read, before, cell], axis=-1)
            )
            state, cell = tf.split(after, 2, axis=-1)
            hidden = tf.reshape(state, shape) + embeddings
        return hidden

    def _read_in_order(self, lstm: keras.layers.LSTM, rows: tf.Tensor) -> tf.Tensor:
        """`(tasks, rows, features)`, of any number of tasks."""
        return apply_to_rows(lambda batch, _: lstm(batch), rows)

    def _read_step(self, joined: tf.Tensor, counted: tf.Tensor | None) -> tf.Tensor:
        """State and cell of the reader, in one, from its input, state and cell."""
        features = self.features
        inputs, *before = tf.split(joined, [2 * features, features, features], axis=-1)
        _, after = self.reader(inputs, before)
        return tf.concat([tf.cast(part, joined.dtype) for part in after], axis=-1)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "features": self.features,
            "steps": self.steps,
            "seed": self.seed,
        }
