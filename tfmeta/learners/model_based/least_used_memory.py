"""An external memory that is written where it is used least."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.seeds import spawn_seeds

# Of norms: their derivative at 0, where a slot that was cleared is, has no end.
_TINY = 1e-8
_FIRST_CONTENT = 1e-6


@keras.saving.register_keras_serializable(package="tfmeta")
class LeastUsedMemoryCell(keras.layers.Layer):
    """One step of an LSTM that writes into a memory and reads from it.

    The least recently used access of Santoro et al. (2016): for each head, of the
    hidden vector `h` of the controller and the memory `M` of the step before,

    ```
    k   = tanh(W_k h + b_k)                    what is looked for
    a   = tanh(W_a h + b_a)                    what is written
    g   = sigmoid(W_g h + b_g)                 where
    w_w = g w_r' + (1 - g) w_lu'               slots last read, or one that is unused
    M   = M' cleared at the slots of w_lu', plus the sum over heads of w_w a^T
    w_r = softmax over slots of cos(k, M)
    r   = w_r M
    w_u = decay w_u' + the sum over heads of (w_r + w_w)
    ```

    A prime marks the step before; `w_lu'` of the n-th head is one at the slot whose use
    `w_u'` is the n-th least, and no derivative is taken of the choice. The controller
    reads `[input, r']`. In the paper `a` is `k`: a vector of its own, as in
    implementations that converge, lets the two differ.

    It is a cell for `keras.layers.RNN`: `state_size` says what a state is of, flat as
    Keras wants it, and the output is `[h, r]`, the reads of all heads in one.

    Args:
        units: Length of the controller's hidden vector.
        slots: Rows of the memory.
        width: Length of a row.
        heads: Reads and writes of a step.
        usage_decay: What is left of a use after a step.
        seed: Seed of the weights; `None` for others at every call.

    Reference:
        Adam Santoro, Sergey Bartunov, Matthew Botvinick, Daan Wierstra and Timothy
        Lillicrap, 2016, Meta-Learning with Memory-Augmented Neural Networks.
    """

    def __init__(
        self,
        units: int = 200,
        slots: int = 128,
        width: int = 40,
        *,
        heads: int = 4,
        usage_decay: float = 0.95,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.units, self.slots, self.width, self.heads = units, slots, width, heads
        self.usage_decay = usage_decay
        self.seed = seed
        seeds = iter(spawn_seeds(seed, 5, stream="least_used_memory"))
        self.controller = keras.layers.LSTMCell(
            units,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
            dtype=self.dtype_policy,
            name="controller",
        )

        def dense(size: int, name: str) -> keras.layers.Dense:
            return keras.layers.Dense(
                size,
                kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
                dtype=self.dtype_policy,
                name=name,
            )

        self.key = dense(heads * width, "key")
        self.content = dense(heads * width, "content")
        self.gate = dense(heads, "gate")
        # In the order of `parts`.
        self.state_size = [
            *(units, units, heads * width),
            *(heads * slots, slots, slots * width),
        ]
        self.output_size = units + heads * width

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parts of a state, without the leading axis, by name."""
        return {
            "hidden": (self.units,),
            "cell": (self.units,),
            "read": (self.heads, self.width),
            "read_weights": (self.heads, self.slots),
            "usage": (self.slots,),
            "memory": (self.slots, self.width),
        }

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Makes the weights.

        Args:
            input_shape: `(batch, features)`.
        """
        self.controller.build((None, input_shape[-1] + self.heads * self.width))
        for layer in (self.key, self.content, self.gate):
            layer.build((None, self.units))
        self.built = True

    def get_initial_state(self, batch_size: Any) -> list[tf.Tensor]:
        """A state in which nothing was read: of a memory of equal rows, the first.

        Args:
            batch_size: How many, an int or a scalar tensor.

        Returns:
            `(batch_size, size)` for each of `state_size`.
        """
        dtype = self.variable_dtype
        first = tf.one_hot(0, self.slots, dtype=dtype)
        one = [
            *(tf.zeros([size], dtype) for size in self.state_size[:3]),
            tf.tile(first, [self.heads]),
            first,
            tf.fill([self.slots * self.width], tf.constant(_FIRST_CONTENT, dtype)),
        ]
        return [tf.tile(part[tf.newaxis], [batch_size, 1]) for part in one]

    def call(
        self, inputs: tf.Tensor, states: list[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step.

        Args:
            inputs: `(batch, features)`.
            states: As `get_initial_state` gives them.
            training: Without effect.

        Returns:
            `[h, r]`, `(batch, units + heads * width)`; and the states after it.
        """
        hidden, cell, read, *before = states
        output, (hidden, cell) = self.controller(
            tf.concat([inputs, read], axis=-1), [hidden, cell]
        )
        reads, usage, memory = (
            tf.reshape(part, [-1, *shape])
            for part, shape in zip(before, list(self.parts.values())[3:], strict=True)
        )
        size = [-1, self.heads, self.width]
        keys = tf.reshape(tf.tanh(self.key(output)), size)
        contents = tf.reshape(tf.tanh(self.content(output)), size)
        gates = tf.sigmoid(self.gate(output))[:, :, None]

        unused = tf.one_hot(
            tf.math.top_k(-tf.stop_gradient(usage), self.heads).indices,
            self.slots,
            dtype=usage.dtype,
        )
        writes = gates * reads + (1 - gates) * unused
        memory *= 1 - tf.reduce_sum(unused, axis=1)[:, :, None]
        memory += tf.matmul(writes, contents, transpose_a=True)
        reads = tf.nn.softmax(_cosine(keys, memory), axis=-1)
        read = tf.reshape(tf.matmul(reads, memory), [-1, self.heads * self.width])
        usage = self.usage_decay * usage + tf.reduce_sum(reads + writes, axis=1)

        flat = [tf.reshape(reads, [-1, self.heads * self.slots]), usage]
        flat.append(tf.reshape(memory, [-1, self.slots * self.width]))
        return tf.concat([output, read], axis=-1), [hidden, cell, read, *flat]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "slots": self.slots,
            "width": self.width,
            "heads": self.heads,
            "usage_decay": self.usage_decay,
            "seed": self.seed,
        }


def _cosine(keys: tf.Tensor, memory: tf.Tensor) -> tf.Tensor:
    """Cosines `(batch, heads, slots)`, 0 for a slot that is empty."""
    products = tf.matmul(keys, memory, transpose_b=True)
    of_keys = tf.sqrt(tf.reduce_sum(keys**2, axis=-1) + _TINY)
    of_slots = tf.sqrt(tf.reduce_sum(memory**2, axis=-1) + _TINY)
    return products / (of_keys[:, :, None] * of_slots[:, None, :])
