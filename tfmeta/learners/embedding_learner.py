"""What learners share whose encoder never looks at the episode."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.class_sums import sound_support
from tfmeta.learners.each_query import State, each_query_alone
from tfmeta.learners.embedding import embed_rows
from tfmeta.signatures.encoded_pictures import EncodedPictures
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec
from tfmeta.squares import wide_dtype


class EmbeddingLearner(FewShotLearner):
    """A learner whose encoder never looks at the episode.

    A subclass implements `adapt_embeddings` and `compare_embeddings`. Since
    the embedding of an example is the same in every episode, an evaluator may
    encode each picture once, and an export can serve the encoder alone.

    Both are always given all of their arguments, and each learner makes use of what
    it needs.
    """

    independent_embeddings = True

    def adapt_embeddings(
        self,
        embeddings: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        unlabelled: tf.Tensor | None = None,
        unlabelled_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> State:
        """`adapt` from embeddings.

        Args:
            embeddings: `(tasks, support, *embedding)`.
            support_labels: `(tasks, support, ways)` one-hot float.
            support_mask: `(tasks, support)` bool, False is padding, or `None`.
            unlabelled: `(tasks, unlabelled, *embedding)`, or `None`; always `None`
                for a learner that does not say `uses_unlabelled`.
            unlabelled_mask: `(tasks, unlabelled)` bool, or `None`.
            training: Whether layers run in training mode.

        Returns:
            The state.
        """
        raise NotImplementedError

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """`predict_query` from embeddings.

        Args:
            state: What `adapt_embeddings` returned.
            embeddings: `(tasks, queries, *embedding)`.
            query_mask: `(tasks, queries)` bool, False is padding, or `None`; for
                those to whom the other queries matter.
            training: Whether layers run in training mode.

        Returns:
            Logits `(tasks, queries, ways)`.
        """
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
            *sound_support(embeddings, support_labels),
            support_mask=support_mask,
            training=training,
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
        return self.compare_embeddings(
            state, embeddings, query_mask=query_mask, training=training
        )

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
        parts = {name: tf.convert_to_tensor(part) for name, part in parts.items()}
        if len({part.dtype for part in parts.values()}) > 1:
            # Pixels and their floats, say: the encoder makes the same of both.
            taken = self.encoder.inputs[0].dtype
            parts = {name: tf.cast(part, taken) for name, part in parts.items()}
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

    def adapt_embedded(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> State:
        """The state of an episode batch that holds embeddings in place of examples."""
        return self.adapt_embeddings(
            *sound_support(inputs["support"], inputs["support_labels"]),
            support_mask=inputs.get("support_mask"),
            training=training,
            **self._unlabelled_of(inputs),
        )

    def predict_each_embedded(self, state: State, query: tf.Tensor) -> tf.Tensor:
        """As `predict_each_query`, of embeddings in place of examples."""
        return each_query_alone(self.compare_embeddings, state, query)

    def embedded_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of an episode batch that holds embeddings in place of examples.

        What an evaluator calls that encodes each example once.
        """
        return self.compare_embeddings(
            self.adapt_embedded(inputs, training=training),
            inputs["query"],
            query_mask=inputs.get("query_mask"),
            training=training,
        )

    def episode_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of an episode batch, all its examples encoded together."""
        embedded = self.embed_episode(inputs, training=training)
        return self.embedded_logits(embedded, training=training)

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """As `FewShotLearner.endpoints`, after those of the encoder alone.

        `embed` and, where `examples.float_too`, `embed_float`, both
        `(batch, *example)` to `(batch, *embedding)`. Where examples are pictures of
        bytes, `embed_encoded` besides, `(batch,)` files to the same; see
        `EncodedPictures`.
        """
        # Servers put requests together along the first dimension, which only
        # `embed` allows: hence it is the default.
        dtypes = {"embed": examples.dtype}
        if examples.float_too:
            dtypes["embed_float"] = tf.float32
        shape = [None, *examples.shape]
        files = EncodedPictures.of(self.encoder, examples)
        return [
            *(
                Endpoint(
                    name,
                    self._served_embed,
                    (tf.TensorSpec(shape, dtype, "examples"),),
                    batchable=True,
                )
                for name, dtype in dtypes.items()
            ),
            *([] if files is None else [self._of_files(files)]),
            *super().endpoints(examples),
        ]

    def _of_files(self, files: EncodedPictures) -> Endpoint:
        def embed(examples: tf.Tensor) -> dict[str, tf.Tensor]:
            return self._served_embed(files.decode(examples))

        spec = tf.TensorSpec([None], tf.string, "examples")
        return Endpoint(
            "embed_encoded", embed, (spec,), takes_files=True, batchable=True
        )

    def _served_embed(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        embeddings = self.embed(examples[tf.newaxis], training=False)[0]
        return {"embeddings": tf.cast(embeddings, wide_dtype(embeddings))}
