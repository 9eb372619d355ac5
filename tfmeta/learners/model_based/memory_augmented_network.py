"""Memory-augmented neural networks."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.learners.model_based.least_used_memory import LeastUsedMemoryCell
from tfmeta.learners.model_based.memory_learner import check_sizes
from tfmeta.learners.model_based.sequence_learner import SequenceLearner
from tfmeta.seeds import spawn_seeds

LAST_LABEL = "last_label"


@keras.saving.register_keras_serializable(package="tfmeta")
class MemoryAugmentedNetwork(SequenceLearner):
    """Reads examples with a recurrent network that has an external memory.

    Santoro, Bartunov, Botvinick, Wierstra and Lillicrap (2016), *Meta-Learning with
    Memory-Augmented Neural Networks*. At each step the network is given an example and
    the label of the one before, and classifies the example. To be right it has to bind
    what it saw to the label that comes a step later, in the memory, and to find it
    there when the class is seen again: weights learn how to remember, and the memory
    holds the task. See `LeastUsedMemoryCell` for the equations.

    A query is the next example of the sequence that the support began, each query of
    its own. The order of the support and the numbers of the classes change the answers.

    The paper trains and measures on sequences: `objective="instances"`, and `tfmeta
    evaluate --protocol instances` for the accuracy at the 1st, 2nd, ... example of a
    class.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of vectors.
            The paper has none, pixels are what the network reads: then the encoder
            `tfmeta.encoders.Pixels`.
        ways: Classes of every task.
        units: Length of the controller's hidden vector.
        slots: Rows of the memory; 0 for none, an LSTM alone, with which the paper
            compares.
        width: Length of a row.
        heads: Reads and writes of a step.
        usage_decay: What is left of a slot's use after a step, from 0 to 1.
        objective: `"instances"` or `"queries"`, see `SequenceLearner`.
        seed: Seed of the weights that are made here, and of the order of examples.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors, or another argument is not
            as it must be.

    Example:

    ```python
    learner = tfmeta.learners.MemoryAugmentedNetwork(
        tfmeta.encoders.Conv4(), ways=5, seed=0
    )
    learner.compile(keras.optimizers.Adam(1e-3))
    episodes = tfmeta.episodes.Episodes(table, ways=5, shots=1, queries=9, tasks=16)
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    state = learner.adapt(support, support_labels)
    state = learner.adapt(more, more_labels, state=state)
    logits = learner.predict_query(state, query)
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        ways: int,
        *,
        units: int = 200,
        slots: int = 128,
        width: int = 40,
        heads: int = 4,
        usage_decay: float = 0.95,
        objective: str = "instances",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_sizes(units=units, width=width, heads=heads)
        if isinstance(slots, bool) or not isinstance(slots, int) or slots < 0:
            raise ValueError(
                f"`slots` must be an int of at least 0. Received: slots={slots!r}"
            )
        if 0 < slots < heads:
            raise ValueError(
                "`slots` must be 0 or at least `heads`, each of which writes to one "
                f"of its own. Received: slots={slots}, heads={heads}"
            )
        if not 0 <= usage_decay <= 1:
            raise ValueError(
                "`usage_decay` must be from 0 to 1. Received: "
                f"usage_decay={usage_decay!r}"
            )
        self.units, self.slots, self.width, self.heads = units, slots, width, heads
        self.usage_decay = float(usage_decay)
        super().__init__(encoder, ways, objective=objective, seed=seed, **kwargs)
        check_gives_vectors(self.encoder)
        # Half precision would round what is remembered.
        dtype = self.variable_dtype
        seeds = iter(spawn_seeds(seed, 4, stream="memory_augmented_network"))
        cell: keras.layers.Layer
        if slots:
            cell = LeastUsedMemoryCell(
                units,
                slots,
                width,
                heads=heads,
                usage_decay=usage_decay,
                seed=next(seeds),
                dtype=dtype,
                name="memory",
            )
        else:
            cell = keras.layers.LSTMCell(
                units,
                kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
                recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
                dtype=dtype,
                name="lstm",
            )
        self.reader = keras.layers.RNN(
            cell, return_sequences=True, return_state=True, dtype=dtype, name="reader"
        )
        self.reader.build((None, None, self.encoder.output_shape[1] + ways))
        self.head = keras.layers.Dense(
            ways,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            dtype=dtype,
            name="head",
        )
        self.head.build((None, units + heads * width if slots else units))

    @property
    def _parts(self) -> dict[str, tuple[int, ...]]:
        cell = self.reader.cell
        if isinstance(cell, LeastUsedMemoryCell):
            return cell.parts
        return {"hidden": (self.units,), "cell": (self.units,)}

    def first_state(self, tasks: tf.Tensor) -> State:
        """An empty memory, and no label before; see `SequenceLearner`."""
        flat = self.reader.cell.get_initial_state(batch_size=tasks)
        return {
            **self._named(flat),
            LAST_LABEL: tf.zeros([tasks, self.ways], self.variable_dtype),
        }

    def read_sequence(
        self,
        state: State,
        embeddings: tf.Tensor,
        labels: tf.Tensor,
        *,
        training: bool = False,
    ) -> tuple[tf.Tensor, State]:
        """Reads labelled examples, each with the label of the one before."""
        real = tf.reduce_any(labels > 0, axis=-1)
        told = tf.concat([state[LAST_LABEL][:, tf.newaxis], labels], axis=1)
        inputs = tf.concat([embeddings, told[:, :-1]], axis=-1)
        outputs, *flat = self.reader(
            inputs, mask=real, initial_state=self._flat(state), training=training
        )
        count = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
        last = tf.gather(told, count, axis=1, batch_dims=1)
        return self.head(outputs), {**self._named(flat), LAST_LABEL: last}

    def answer_embeddings(
        self, state: State, embeddings: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """Logits of the next example, for each of several that it may be."""
        shape = tf.shape(embeddings)
        copies = {n: tf.repeat(part, shape[1], axis=0) for n, part in state.items()}
        rows = tf.reshape(embeddings, [-1, self.encoder.output_shape[1]])
        inputs = tf.concat([rows, copies[LAST_LABEL]], axis=-1)
        outputs, _ = self.reader.cell(inputs, self._flat(copies), training=training)
        return tf.reshape(self.head(outputs), [shape[0], shape[1], self.ways])

    def _named(self, flat: list[tf.Tensor]) -> State:
        return {
            name: tf.reshape(part, [-1, *shape])
            for (name, shape), part in zip(self._parts.items(), flat, strict=True)
        }

    def _flat(self, state: State) -> list[tf.Tensor]:
        return [
            tf.reshape(state[name], [-1, math.prod(shape)])
            for name, shape in self._parts.items()
        ]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "units": self.units,
            "slots": self.slots,
            "width": self.width,
            "heads": self.heads,
            "usage_decay": self.usage_decay,
        }
