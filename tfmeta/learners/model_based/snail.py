"""The simple neural attentive meta-learner."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.learners.model_based.causal_layers import (
    CausalAttention,
    LooksBack,
    temporal_convolutions,
)
from tfmeta.learners.model_based.memory_learner import check_sizes
from tfmeta.learners.model_based.sequence_learner import SequenceLearner
from tfmeta.seeds import spawn_seeds

# Filters of temporal convolutions; keys and values of the three attentions.
_FILTERS = 128
_ATTENTIONS = ((64, 32), (256, 128), (512, 256))


@keras.saving.register_keras_serializable(package="tfmeta")
class SNAIL(SequenceLearner):
    """Reads examples with causal convolutions and causal attention, in turns.

    Mishra, Rohaninejad, Chen and Abbeel (2018), *A Simple Neural Attentive
    Meta-Learner*. An example is its embedding beside its label, a query the same with
    zeros for a label. Attention picks single examples out of all that was read,
    convolutions of dilation 1, 2, 4, ... put together what they found:

    ```
    attention (64, 32), convolutions (128), attention (256, 128), convolutions (128),
    attention (512, 256), one linear layer to the logits
    ```

    Every layer adds its channels to those that are there, so that what is remembered of
    an example is one row: it never changes when others are read after it.

    The order of the support and the numbers of the classes change the answers.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of vectors.
        ways: Classes of every task.
        shots: Examples of a class that it is meant for: the convolutions see
            `ways * shots + 1` steps. More can be read, and attention sees all.
        objective: `"queries"`, the paper's, or `"instances"`; see `SequenceLearner`.
        seed: Seed of the weights that are made here, and of the order of examples.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` does not give vectors, or `ways` or `shots` is no int
            of at least 1.

    Example:

    ```python
    learner = tfmeta.learners.SNAIL(tfmeta.encoders.Conv4(), ways=5, shots=1, seed=0)
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    state = learner.adapt(support, support_labels)
    logits = learner.predict_query(state, query)
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        ways: int,
        shots: int = 1,
        *,
        objective: str = "queries",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_sizes(ways=ways, shots=shots)
        self.shots = shots
        super().__init__(encoder, ways, objective=objective, seed=seed, **kwargs)
        check_gives_vectors(self.encoder)
        # Half precision would round what is to be compared.
        options = {"dtype": self.variable_dtype}
        steps = ways * shots + 1
        seeds = iter(spawn_seeds(seed, 64, stream="snail"))
        channels = self.encoder.output_shape[1] + ways
        self._read_channels = channels
        self.blocks: list[LooksBack] = []
        for number, (key_size, value_size) in enumerate(_ATTENTIONS):
            if number:
                self.blocks += temporal_convolutions(
                    channels, _FILTERS, steps, seeds, **options
                )
                channels = self.blocks[-1].channels + self.blocks[-1].added
            self.blocks.append(
                CausalAttention(
                    channels, key_size, value_size, seed=next(seeds), **options
                )
            )
            channels += value_size
        self.channels = channels
        self.head = keras.layers.Dense(
            ways,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            name="head",
            **options,
        )
        self.head.build((None, None, channels))

    def first_state(self, tasks: tf.Tensor) -> State:
        """No rows; see `SequenceLearner`."""
        return {
            "rows": tf.zeros([tasks, 0, self.blocks[-1].channels], self.variable_dtype),
            "count": tf.zeros([tasks], tf.int32),
        }

    def read_sequence(
        self,
        state: State,
        embeddings: tf.Tensor,
        labels: tf.Tensor,
        *,
        training: bool = False,
    ) -> tuple[tf.Tensor, State]:
        """Reads labelled examples behind those that are there."""
        before, count = state["rows"], state["count"]
        kept = tf.shape(before)[1]
        added = tf.reduce_any(labels > 0, axis=-1)
        real = tf.concat([tf.sequence_mask(count, kept), added], axis=1)
        # What a row was before the first block, its first channels, behind which the
        # blocks add theirs: of rows that were read they come out as they are there.
        inputs = tf.concat([embeddings, labels], axis=-1)
        rows = tf.concat([before[:, :, : self._read_channels], inputs], axis=1)
        order = tf.argsort(tf.cast(~real, tf.int32), axis=1, stable=True)
        rows = tf.gather(rows, order, batch_dims=1)
        known = tf.range(tf.shape(rows)[1])[tf.newaxis]
        known = tf.tile(known, [tf.shape(rows)[0], 1])
        for block in self.blocks:
            found = block(rows, rows, known, training=training)
            rows = tf.concat([rows, found], axis=-1)
        count_after = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
        places = count[:, tf.newaxis] + tf.range(tf.shape(labels)[1])
        logits = self._logits(rows, embeddings, places, training=training)
        # What the last block adds no other looks at.
        rows = rows[:, :, : self.blocks[-1].channels]
        return logits, {"rows": rows, "count": count_after}

    def answer_embeddings(
        self, state: State, embeddings: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """Logits of queries, each behind all that was read."""
        places = _places(state, embeddings)
        return self._logits(state["rows"], embeddings, places, training=training)

    def attention_weights(self, state: State, query: tf.Tensor) -> list[tf.Tensor]:
        """What queries look at.

        Args:
            state: As `adapt` gives it.
            query: `(tasks, queries, *example)`.

        Returns:
            For each of the attentions, the first one first, `(tasks, queries, read +
            1)`: how much a query takes of each example that was read, in the order in
            which it was, and last of itself. They sum to 1.
        """
        embeddings = tf.cast(self.embed(query), self.variable_dtype)
        places = _places(state, embeddings)
        rows, found = self._unlabelled(embeddings), []
        for block in self.blocks:
            known = state["rows"][:, :, : block.channels]
            if isinstance(block, CausalAttention):
                found.append(block.weights_of(rows, known, places))
            rows = tf.concat([rows, block(rows, known, places)], axis=-1)
        return found

    def _logits(
        self,
        read: tf.Tensor,
        embeddings: tf.Tensor,
        places: tf.Tensor,
        *,
        training: bool,
    ) -> tf.Tensor:
        """Logits of examples without a label, each at a place of its own."""
        rows = self._unlabelled(embeddings)
        for block in self.blocks:
            known = read[:, :, : block.channels]
            found = block(rows, known, places, training=training)
            rows = tf.concat([rows, found], axis=-1)
        return self.head(rows)

    def _unlabelled(self, embeddings: tf.Tensor) -> tf.Tensor:
        """Rows of examples whose label is not known."""
        shape = tf.concat([tf.shape(embeddings)[:2], [self.ways]], axis=0)
        return tf.concat([embeddings, tf.zeros(shape, embeddings.dtype)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {**super().get_config(), "shots": self.shots}


def _places(state: State, embeddings: tf.Tensor) -> tf.Tensor:
    """Each of `embeddings` comes right behind all that was read."""
    return tf.tile(state["count"][:, tf.newaxis], [1, tf.shape(embeddings)[1]])
