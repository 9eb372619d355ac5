"""An external memory that is written where it is used least."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.learners.model_based.memory_steps import (
    Memory,
    Settings,
    Weights,
    read_steps,
)
from tfmeta.seeds import spawn_seeds

_FIRST_CONTENT = 1e-6


@keras.saving.register_keras_serializable(package="tfmeta")
class LeastUsedMemory(keras.layers.Layer):
    """An LSTM that writes into a memory and reads from it.

    The least recently used access of Santoro et al. (2016): for each head, of the
    hidden vector `h` of the controller and the memory `M` of the step before,

    ```
    k   = tanh(W_k h + b_k)                    what is looked for
    a   = tanh(W_a h + b_a)                    what is written
    g   = sigmoid(W_g h + b_g)                 where
    w_w = g w_r' + (1 - g) w_lu'               slots last read, or one that is unused
    M   = M' cleared at the slots of w_lu', plus the sum over heads of w_w a^T
    w_r = softmax over slots of s cos(k, M)
    r   = w_r M
    w_u = decay w_u' + the sum over heads of (w_r + w_w)
    ```

    A prime marks the step before; `w_lu'` of the n-th head is one at the slot whose use
    `w_u'` is the n-th least, and no derivative is taken of the choice. The controller
    reads `[input, r']`. In the paper `a` is `k`: a vector of its own, as in
    implementations that converge, lets the two differ. And `s` is 1 there: the one
    slot out of 128 that a key agrees with is then 2 % of what is read, and the others,
    which know nothing of it, are the rest. Of keys of strength 10, which the neural
    Turing machine of Graves, Wayne and Danihelka (2014) has, too, it is 99 %.

    Args:
        units: Length of the controller's hidden vector.
        slots: Rows of the memory.
        width: Length of a row.
        heads: Reads and writes of a step.
        usage_decay: What is left of a use after a step.
        key_strength: `s`, what cosines are multiplied by.
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
        key_strength: float = 10.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.units, self.slots, self.width, self.heads = units, slots, width, heads
        self.usage_decay, self.key_strength = usage_decay, key_strength
        self.seed = seed
        self.output_size = units + heads * width
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

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Makes the weights.

        Args:
            input_shape: `(tasks, steps, features)`.
        """
        self.controller.build((None, input_shape[-1] + self.heads * self.width))
        for layer in (self.key, self.content, self.gate):
            layer.build((None, self.units))
        self.built = True

    def first_state(self, tasks: tf.Tensor) -> State:
        """What is remembered of nothing: reads were of the first of equal rows.

        Args:
            tasks: How many, an int32 scalar.

        Returns:
            Of every part a tensor with a leading task axis: `hidden` and `cell`
            `(tasks, units)`, `read` `(tasks, heads, width)`, `read_weights` `(tasks,
            heads, slots)`, `memory` `(tasks, slots, width)`, `usage` `(tasks, slots)`.
        """
        dtype = self.variable_dtype
        first = tf.one_hot(0, self.slots, dtype=dtype)
        content = tf.constant(_FIRST_CONTENT, dtype)
        return Memory(
            hidden=tf.zeros([tasks, self.units], dtype),
            cell=tf.zeros([tasks, self.units], dtype),
            read=tf.zeros([tasks, self.heads, self.width], dtype),
            read_weights=tf.tile(first[None, None], [tasks, self.heads, 1]),
            memory=tf.fill([tasks, self.slots, self.width], content),
            usage=tf.tile(first[None], [tasks, 1]),
        )._asdict()

    def call(
        self,
        inputs: tf.Tensor,
        state: State,
        real: tf.Tensor,
        training: bool = False,
    ) -> tuple[tf.Tensor, State]:
        """Reads a sequence.

        Args:
            inputs: `(tasks, steps, features)`.
            state: As `first_state` gives it.
            real: Bool `(tasks, steps)`: a step that is not changes nothing.
            training: Whether a gradient will be asked for, which is faster then.

        Returns:
            `[h, r]` after every step, `(tasks, steps, units + heads * width)`; and
            what is remembered then.
        """
        features = inputs.shape[-1]
        kernel = tf.convert_to_tensor(self.controller.kernel)
        bias = tf.convert_to_tensor(self.controller.bias)
        parts = (self.key, self.content, self.gate)
        weights = Weights(
            tf.concat([self.controller.recurrent_kernel, kernel[features:]], axis=0),
            tf.concat([part.kernel for part in parts], axis=1),
            tf.concat([part.bias for part in parts], axis=0),
        )
        outputs, end = read_steps(
            tf.matmul(inputs, kernel[:features]) + bias,
            weights,
            Memory(**state),
            real,
            Settings(self.usage_decay, self.key_strength),
            training=training,
        )
        return outputs, end._asdict()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "slots": self.slots,
            "width": self.width,
            "heads": self.heads,
            "usage_decay": self.usage_decay,
            "key_strength": self.key_strength,
            "seed": self.seed,
        }
