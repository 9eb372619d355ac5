"""Layers of a sequence that look back, at what was read before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfmeta.seeds import spawn_seeds


class LooksBack(keras.layers.Layer):
    """A layer of rows that adds channels to each, made of it and of earlier rows.

    Called with rows `(tasks, rows, channels)`, what was read before, `(tasks, read,
    channels)`, and how much of that each row may look at, int32 `(tasks, rows)`: a row
    knows the first so many of those, and itself. A sequence that is read looks at
    itself, its n-th row at n rows.

    Args:
        channels: Those of a row.
        added: Those that are added.
    """

    def __init__(self, channels: int, added: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.channels, self.added = channels, added

    def call(
        self, rows: tf.Tensor, read: tf.Tensor, known: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """New channels `(tasks, rows, added)`."""
        raise NotImplementedError

    def _dense(self, size: int, seed: int | None, name: str, **options: Any) -> Any:
        layer = keras.layers.Dense(
            size,
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            dtype=self.dtype_policy,
            name=name,
            **options,
        )
        layer.build((None, None, self.channels))
        return layer


@keras.saving.register_keras_serializable(package="tfmeta")
class GatedCausalConvolution(LooksBack):
    """A dense block: a gated convolution of a row and the one `dilation` before it.

    `tanh(f) * sigmoid(g)`, where `f` and `g` are convolutions of kernel size 2. Before
    the first row stand zeros.

    Args:
        channels: Those of a row.
        filters: Those that are added.
        dilation: How far back the other row is.
        seed: Seed of the weights; `None` for others at every call.

    Reference:
        Nikhil Mishra, Mostafa Rohaninejad, Xi Chen and Pieter Abbeel, 2018, A Simple
        Neural Attentive Meta-Learner.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        dilation: int,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(channels, filters, **kwargs)
        self.dilation = dilation
        self.seed = seed
        now, before = spawn_seeds(seed, 2, stream="gated_causal_convolution")
        # Filter and gate in one product each.
        self.now = self._dense(2 * filters, now, "now")
        self.before = self._dense(2 * filters, before, "before", use_bias=False)
        self.built = True

    def call(
        self, rows: tf.Tensor, read: tf.Tensor, known: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """New channels `(tasks, rows, filters)`; see `LooksBack`."""
        place = known - self.dilation
        # The product first: what is read is asked for by many rows.
        before = tf.pad(self.before(read), [[0, 0], [1, 0], [0, 0]])
        before = tf.gather(before, tf.maximum(place, -1) + 1, axis=1, batch_dims=1)
        filtered, gate = tf.split(self.now(rows) + before, 2, axis=-1)
        return tf.tanh(filtered) * tf.sigmoid(gate)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "channels": self.channels,
            "filters": self.added,
            "dilation": self.dilation,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="tfmeta")
class CausalAttention(LooksBack):
    """A row's look at itself and all that was read before it, by keys and values.

    The softmax over rows of `q k^T / sqrt(key_size)`, one head.

    Args:
        channels: Those of a row.
        key_size: Length of a key, and of a query.
        value_size: Channels that are added.
        seed: Seed of the weights; `None` for others at every call.

    Reference:
        Nikhil Mishra, Mostafa Rohaninejad, Xi Chen and Pieter Abbeel, 2018, A Simple
        Neural Attentive Meta-Learner.
    """

    def __init__(
        self,
        channels: int,
        key_size: int,
        value_size: int,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(channels, value_size, **kwargs)
        self.key_size = key_size
        self.seed = seed
        seeds = spawn_seeds(seed, 3, stream="causal_attention")
        self.query = self._dense(key_size, seeds[0], "query")
        self.key = self._dense(key_size, seeds[1], "key")
        self.value = self._dense(value_size, seeds[2], "value")
        self.built = True

    def weights_of(
        self, rows: tf.Tensor, read: tf.Tensor, known: tf.Tensor
    ) -> tf.Tensor:
        """Attention `(tasks, rows, read + 1)`, of a row to itself last."""
        queries = self.query(rows) * self.key_size**-0.5
        past = tf.matmul(queries, self.key(read), transpose_b=True)
        own = tf.reduce_sum(queries * self.key(rows), axis=-1, keepdims=True)
        seen = tf.sequence_mask(known, tf.shape(read)[1])
        never = tf.constant(float("-inf"), past.dtype)
        return tf.nn.softmax(tf.concat([tf.where(seen, past, never), own], axis=-1))

    def call(
        self, rows: tf.Tensor, read: tf.Tensor, known: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """New channels `(tasks, rows, value_size)`; see `LooksBack`."""
        weights = self.weights_of(rows, read, known)
        past = tf.matmul(weights[..., :-1], self.value(read))
        return past + weights[..., -1:] * self.value(rows)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "channels": self.channels,
            "key_size": self.key_size,
            "value_size": self.added,
            "seed": self.seed,
        }


def temporal_convolutions(
    channels: int, filters: int, steps: int, seeds: Iterator[int | None], **options: Any
) -> list[LooksBack]:
    """Dense blocks of dilations 1, 2, 4, ..., through which a row sees `steps` rows.

    Args:
        channels: Those of a row before them.
        filters: Those that each of them adds.
        steps: Length of the sequence, at least 2.
        seeds: Where the seed of each comes from.
        **options: Of each layer.
    """
    blocks = range((steps - 1).bit_length())
    return [
        GatedCausalConvolution(
            channels + n * filters, filters, 2**n, seed=next(seeds), **options
        )
        for n in blocks
    ]
