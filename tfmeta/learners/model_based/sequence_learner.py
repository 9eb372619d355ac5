"""What learners share that classify an example before its label is told."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import nan_unless
from tfmeta.learners.each_query import State
from tfmeta.learners.labelled_queries import (
    QUERY_LABELS,
    QUERY_WEIGHTS,
    with_query_labels,
)
from tfmeta.learners.model_based.cross_entropies import cross_entropies
from tfmeta.learners.model_based.memory_learner import MemoryLearner, real_first

OBJECTIVES = ("instances", "queries")


class SequenceLearner(MemoryLearner):
    """A learner that has an answer at every step of a sequence.

    A subclass implements `read_sequence` in place of `read_embeddings`.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            embeddings.
        ways: Classes of every task.
        objective: What `fit` minimises. `"queries"`: the cross-entropy of the queries
            after the whole support. `"instances"`, the protocol of Santoro et al.
            (2016): support and queries are one sequence in random order, and every
            example is classified before its label is told, the first of a class, too.
            Accuracy while training is then that of the queries at their places in the
            sequence; in validation it is that after the support, for both.
        seed: Seed of the order, and of the weights that are made here.

    Raises:
        ValueError: When `ways` is no int of at least 1 or `objective` is unknown.
    """

    def __init__(
        self,
        encoder: keras.Model,
        ways: int,
        *,
        objective: str = "queries",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        if objective not in OBJECTIVES:
            raise ValueError(
                f"`objective` must be one of {', '.join(OBJECTIVES)}. Received: "
                f"objective={objective!r}"
            )
        self.objective = objective
        super().__init__(encoder, ways, seed=seed, **kwargs)

    def read_sequence(
        self,
        state: State,
        embeddings: tf.Tensor,
        labels: tf.Tensor,
        *,
        training: bool = False,
    ) -> tuple[tf.Tensor, State]:
        """Reads labelled examples, and classifies each before.

        Args:
            state: What is remembered.
            embeddings: `(tasks, steps, *embedding)`.
            labels: As for `read_embeddings`.
            training: Whether layers run in training mode.

        Returns:
            Logits `(tasks, steps, ways)` of every example before its label was told,
            without meaning in rows of no label; and what is remembered then.
        """
        raise NotImplementedError

    def read_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        labels: tf.Tensor,
        *,
        training: bool = False,
    ) -> State:
        """What is remembered after the sequence; see `MemoryLearner`."""
        return self.read_sequence(state, embeddings, labels, training=training)[1]

    def embedded_sequence_logits(
        self, embeddings: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        """Logits before each label, in one pass; see `FewShotLearner`.

        Finite for ways of which nothing was read, too: the network guesses at them.
        """
        embeddings, labels = self._rows_of(embeddings, labels, None)
        return self._classified(embeddings, labels, training=False)

    def embedded_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of an episode batch of embeddings; see `objective`."""
        if not (training and self.objective == "instances" and QUERY_LABELS in inputs):
            return super().embedded_logits(inputs, training=training)
        support, support_labels = self._rows_of(
            inputs["support"], inputs["support_labels"], inputs.get("support_mask")
        )
        query_labels = tf.one_hot(inputs[QUERY_LABELS], self.ways, dtype=support.dtype)
        query, query_labels = self._rows_of(
            inputs["query"], query_labels, inputs.get("query_mask")
        )
        embeddings = tf.concat([support, query], axis=1)
        labels = tf.concat([support_labels, query_labels], axis=1)
        places = [
            self._random_places(part, stream)
            for stream, part in enumerate((support_labels, query_labels))
        ]
        order = tf.argsort(tf.concat(places, axis=1), axis=1, stable=True)
        shuffled = self._classified(
            tf.gather(embeddings, order, batch_dims=1),
            tf.gather(labels, order, batch_dims=1),
            training=training,
        )
        logits = tf.gather(shuffled, tf.argsort(order, axis=1), batch_dims=1)
        # Keras takes the mean over the queries: with that of the support beside it, by
        # the same number, all places of the sequence weigh the same.
        rows = tf.shape(support)[1]
        costs = cross_entropies(labels, logits)[:, :rows]
        queries = tf.reduce_sum(tf.cast(inputs[QUERY_WEIGHTS], costs.dtype))
        self.add_loss(tf.reduce_sum(costs) / tf.maximum(queries, 1.0))
        return logits[:, rows:]

    def train_step(self, data: tuple) -> dict[str, Any]:
        """One step on a batch, as `keras.Model.train_step`."""
        if self.objective == "instances":
            data = with_query_labels(data)
        return super().train_step(data)

    def _classified(
        self, embeddings: tf.Tensor, labels: tf.Tensor, *, training: bool
    ) -> tf.Tensor:
        """Logits before each label."""
        order = real_first(labels)
        logits, _ = self.read_sequence(
            self.first_state(tf.shape(labels)[0]),
            tf.gather(embeddings, order, batch_dims=1),
            tf.gather(labels, order, batch_dims=1),
            training=training,
        )
        logits = nan_unless(self._sound({}), logits)
        return tf.gather(logits, tf.argsort(order, axis=1), batch_dims=1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {**super().get_config(), "objective": self.objective}
