"""What metric-based learners share: embed once, then compare embeddings."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.base import FewShotLearner, State
from tfmeta.learners.metric_based.embedding import embed_rows


class MetricLearner(FewShotLearner):
    """A learner whose encoder never looks at the episode.

    A subclass implements `adapt_embeddings` and `compare_embeddings`. Since
    the embedding of an example is the same in every episode, an evaluator may
    encode each picture once, and an export can serve the encoder alone.

    `adapt_embeddings` of a learner that `uses_unlabelled` also takes `unlabelled`,
    `(tasks, unlabelled, *embedding)`, and `unlabelled_mask`;
    `compare_embeddings` of one that is `transductive` also takes `query_mask`.
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
        return embed_rows(self.encoder, examples, mask=mask, training=training)

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
    ) -> State:
        """Learns the classes of the support set; see `FewShotLearner.adapt`."""
        self.refuse_state(state)
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
        return self._compare(state, embeddings, query_mask)

    def embed_together(
        self,
        parts: dict[str, tf.Tensor],
        masks: dict[str, tf.Tensor],
        *,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        """Embeds several sets of examples in one call of `embed`.

        In training mode batch normalization then sees all of them, as in the
        papers' code; in inference mode it makes no difference.

        Args:
            parts: `(tasks, rows, *example)` by name.
            masks: `(tasks, rows)` bool by the same names, where rows are padded.
            training: Whether the encoder runs in training mode.

        Returns:
            `(tasks, rows, *embedding)` by name.
        """
        sizes = [tf.shape(examples)[1] for examples in parts.values()]
        mask = None
        if masks:
            mask = tf.concat(
                [
                    masks.get(name, tf.ones(tf.shape(examples)[:2], tf.bool))
                    for name, examples in parts.items()
                ],
                axis=1,
            )
        together = tf.concat(list(parts.values()), axis=1)
        embeddings = self.embed(together, mask=mask, training=training)
        split = tf.split(embeddings, tf.stack(sizes), axis=1, num=len(sizes))
        return {
            name: tf.ensure_shape(part, [*examples.shape[:2], *part.shape[2:]])
            for (name, examples), part in zip(parts.items(), split, strict=True)
        }

    def embed_episode(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """An episode batch with embeddings in place of its examples.

        All examples that the learner uses are encoded together.
        """
        names = ["support", "query"]
        if self.uses_unlabelled and "unlabelled" in inputs:
            names.append("unlabelled")
        masks = {n: inputs[f"{n}_mask"] for n in names if f"{n}_mask" in inputs}
        parts = {n: inputs[n] for n in names}
        return {
            **inputs,
            **self.embed_together(parts, masks, training=training),
        }

    def embedded_logits(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Logits of an episode batch that holds embeddings in place of examples.

        What an evaluator calls that encodes each example once.
        """
        state = self.adapt_embeddings(
            inputs["support"],
            inputs["support_labels"],
            support_mask=inputs.get("support_mask"),
            **self._unlabelled_of(inputs),
        )
        return self._compare(state, inputs["query"], inputs.get("query_mask"))

    def episode_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of an episode batch, all its examples encoded together."""
        return self.embedded_logits(self.embed_episode(inputs, training=training))

    def _compare(
        self, state: State, embeddings: tf.Tensor, query_mask: tf.Tensor | None
    ) -> tf.Tensor:
        options = {"query_mask": query_mask} if self.transductive else {}
        return self.compare_embeddings(state, embeddings, **options)
