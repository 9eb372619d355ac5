"""Memory-augmented neural networks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.learners.model_based.least_used_memory import LeastUsedMemory
from tfmeta.learners.model_based.lstm_alone import LSTMAlone
from tfmeta.learners.model_based.memory_learner import MOST, check_sizes, is_number
from tfmeta.learners.model_based.sequence_learner import SequenceLearner
from tfmeta.seeds import spawn_seeds

LAST_LABEL = "last_label"
# Of float32, where the softmax of cosines is a maximum long before.
_STRONGEST = 1_000_000


@keras.saving.register_keras_serializable(package="tfmeta")
class MemoryAugmentedNetwork(SequenceLearner):
    """Reads examples with a recurrent network that has an external memory.

    Santoro, Bartunov, Botvinick, Wierstra and Lillicrap (2016), *Meta-Learning with
    Memory-Augmented Neural Networks*. At each step the network is given an example and
    the label of the one before, and classifies the example. To be right it has to bind
    what it saw to the label that comes a step later, in the memory, and to find it
    there when the class is seen again: weights learn how to remember, and the memory
    holds the task. See `LeastUsedMemory` for the equations.

    A query is the next example of the sequence that the support began, each query of
    its own. The order of the support and the numbers of the classes change the answers.

    The paper trains and measures on sequences: `objective="instances"`, and `tfmeta
    evaluate --protocol instances` for the accuracy at the 1st, 2nd, ... example of a
    class.

    Training lies long at what labels alone say: which are taken, and which came least.
    On Omniglot keys of strength 10 and `Adam(1e-2, global_clipnorm=10)` leave that
    within 1,000 batches; with strength 1 or a rate of 1e-3 it was not left in 2,500.

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
        key_strength: What cosines of keys and slots are multiplied by before the
            softmax; 1 in the paper, and more makes training leave chance far sooner.
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
    learner.compile(keras.optimizers.Adam(1e-2, global_clipnorm=10.0))
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
        key_strength: float = 10.0,
        objective: str = "instances",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_sizes(units=units, width=width, heads=heads)
        if (
            isinstance(slots, bool)
            or not isinstance(slots, int)
            or not 0 <= slots <= MOST
        ):
            raise ValueError(
                f"`slots` must be an int from 0 to {MOST:,}. Received: slots={slots!r}"
            )
        if 0 < slots < heads:
            raise ValueError(
                "`slots` must be 0 or at least `heads`, each of which writes to one "
                f"of its own. Received: slots={slots}, heads={heads}"
            )
        if not is_number(usage_decay) or not 0 <= usage_decay <= 1:
            raise ValueError(
                "`usage_decay` must be a number from 0 to 1. Received: "
                f"usage_decay={usage_decay!r}"
            )
        if not is_number(key_strength) or not 0 < key_strength <= _STRONGEST:
            raise ValueError(
                f"`key_strength` must be a number above 0, at most {_STRONGEST:,}. "
                f"Received: key_strength={key_strength!r}"
            )
        self.units, self.slots, self.width, self.heads = units, slots, width, heads
        self.usage_decay, self.key_strength = float(usage_decay), float(key_strength)
        super().__init__(encoder, ways, objective=objective, seed=seed, **kwargs)
        check_gives_vectors(self.encoder)
        # Half precision would round what is remembered.
        dtype = self.variable_dtype
        of_reader, of_head = spawn_seeds(seed, 2, stream="memory_augmented_network")
        self.reader: LeastUsedMemory | LSTMAlone
        if slots:
            self.reader = LeastUsedMemory(
                units,
                slots,
                width,
                heads=heads,
                usage_decay=usage_decay,
                key_strength=key_strength,
                seed=of_reader,
                dtype=dtype,
                name="reader",
            )
        else:
            self.reader = LSTMAlone(units, seed=of_reader, dtype=dtype, name="reader")
        self.reader.build((None, None, self.encoder.output_shape[1] + ways))
        self.head = keras.layers.Dense(
            ways,
            kernel_initializer=keras.initializers.GlorotUniform(of_head),
            dtype=dtype,
            name="head",
        )
        self.head.build((None, self.reader.output_size))

    def first_state(self, tasks: tf.Tensor) -> State:
        """An empty memory, and no label before; see `SequenceLearner`."""
        no_label = tf.zeros([tasks, self.ways], self.variable_dtype)
        return {**self.reader.first_state(tasks), LAST_LABEL: no_label}

    def read_sequence(
        self,
        state: State,
        embeddings: tf.Tensor,
        labels: tf.Tensor,
        *,
        training: bool = False,
    ) -> tuple[tf.Tensor, State]:
        """Reads labelled examples, each with the label of the one before."""
        remembered = dict(state)
        last = remembered.pop(LAST_LABEL)
        real = tf.reduce_any(labels > 0, axis=-1)
        told = tf.concat([last[:, tf.newaxis], labels], axis=1)
        inputs = tf.concat([embeddings, told[:, :-1]], axis=-1)
        outputs, remembered = self.reader(inputs, remembered, real, training=training)
        count = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
        last = tf.gather(told, count, axis=1, batch_dims=1)
        return self.head(outputs), {**remembered, LAST_LABEL: last}

    def answer_embeddings(
        self, state: State, embeddings: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """Logits of the next example, for each of several that it may be."""
        shape = tf.shape(embeddings)
        copies = {n: tf.repeat(part, shape[1], axis=0) for n, part in state.items()}
        last = copies.pop(LAST_LABEL)
        rows = tf.reshape(embeddings, [-1, self.encoder.output_shape[1]])
        inputs = tf.concat([rows, last], axis=-1)[:, tf.newaxis]
        real = tf.ones([shape[0] * shape[1], 1], tf.bool)
        outputs, _ = self.reader(inputs, copies, real, training=training)
        return tf.reshape(self.head(outputs), [shape[0], shape[1], self.ways])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "units": self.units,
            "slots": self.slots,
            "width": self.width,
            "heads": self.heads,
            "usage_decay": self.usage_decay,
            "key_strength": self.key_strength,
        }
