"""What metric-based learners share: embed once, then compare embeddings."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.base import FewShotLearner, State


class MetricLearner(FewShotLearner):
    """A learner whose encoder never looks at the episode.

    A subclass implements `adapt_embeddings` and `compare_embeddings`. Since
    the embedding of an example is the same in every episode, an evaluator may
    encode each picture once, and an export can serve the encoder alone.
    """

    def adapt_embeddings(
        self,
        embeddings: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
    ) -> State:
        """`adapt` from embeddings `(tasks, support, *embedding)`."""
        raise NotImplementedError

    def compare_embeddings(self, state: State, embeddings: tf.Tensor) -> tf.Tensor:
        """Logits `(tasks, queries, ways)` of `(tasks, queries, *embedding)`."""
        raise NotImplementedError

    def embed(
        self,
        examples: tf.Tensor,
        *,
        mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Embeds the examples of all tasks in one call of the encoder.

        Args:
            examples: `(tasks, rows, *example)`.
            mask: `(tasks, rows)` bool; rows where it is False never reach the
                encoder, whose batch statistics would see them. Their embedding
                is 0.
            training: Whether the encoder runs in training mode.

        Returns:
            `(tasks, rows, *embedding)`.
        """
        examples = tf.convert_to_tensor(examples)
        leading = tf.shape(examples)[:2]
        flat = tf.reshape(examples, tf.concat([[-1], tf.shape(examples)[2:]], axis=0))
        flat = tf.ensure_shape(flat, [None, *examples.shape[2:]])
        if mask is None:
            embeddings = self.encoder(flat, training=training)
        else:
            rows = tf.where(tf.reshape(mask, [-1]))
            real = self.encoder(tf.gather(flat, rows[:, 0]), training=training)
            shape = tf.concat([[tf.shape(flat)[0]], tf.shape(real)[1:]], axis=0)
            embeddings = tf.scatter_nd(rows, real, tf.cast(shape, tf.int64))
        shape = tf.concat([leading, tf.shape(embeddings)[1:]], axis=0)
        embeddings = tf.reshape(embeddings, shape)
        return tf.ensure_shape(
            embeddings, [*examples.shape[:2], *self.encoder.output_shape[1:]]
        )

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> State:
        """Learns the classes of the support set; see `FewShotLearner.adapt`."""
        embeddings = self.embed(support, mask=support_mask, training=training)
        return self.adapt_embeddings(
            embeddings, support_labels, support_mask=support_mask
        )

    def predict_query(
        self,
        state: State,
        query: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Classifies queries; see `FewShotLearner.predict_query`."""
        embeddings = self.embed(query, mask=query_mask, training=training)
        return self.compare_embeddings(state, embeddings)

    def episode_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of an episode batch, support and query encoded together.

        In training mode batch normalization then sees both, as in the papers'
        code; in inference mode it makes no difference.
        """
        support, query = inputs["support"], inputs["query"]
        support_mask = inputs.get("support_mask")
        query_mask = inputs.get("query_mask")
        mask = None
        if support_mask is not None or query_mask is not None:
            if support_mask is None:
                support_mask = tf.ones(tf.shape(support)[:2], tf.bool)
            if query_mask is None:
                query_mask = tf.ones(tf.shape(query)[:2], tf.bool)
            mask = tf.concat([support_mask, query_mask], axis=1)
        embeddings = self.embed(
            tf.concat([support, query], axis=1), mask=mask, training=training
        )
        num_support = tf.shape(support)[1]
        state = self.adapt_embeddings(
            embeddings[:, :num_support],
            inputs["support_labels"],
            support_mask=support_mask,
        )
        return self.compare_embeddings(state, embeddings[:, num_support:])
