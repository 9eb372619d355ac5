"""What learners share that are trained on all base classes at once."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from tfmeta.episodes.arguments import check_count
from tfmeta.learners.embedding import encode
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.encoder_check import check_examples, check_gives_vectors
from tfmeta.learners.form_checks import fits


def check_positive(name: str, value: float) -> float:
    """Returns `value` as a float when it is above 0 and finite."""
    if not 0 < value < math.inf:
        raise ValueError(
            f"`{name}` must be above 0 and finite. Received: {name}={value!r}"
        )
    return float(value)


class PretrainedLearner(EmbeddingLearner):
    """A classifier of base classes, whose encoder then serves new classes.

    Called on a plain batch of examples it gives the logits of the base classes,
    so that `fit` on `tfmeta.episodes.as_supervised(table)` is ordinary supervised
    training. Called on an episode it gives the episode's logits, as every learner:
    `adapt` fits a new head on the support, the encoder and the base head stay as
    they are. One `compile` does for both, so validation may be on episodes.

    A subclass makes the head of the base classes and implements
    `adapt_embeddings` and `compare_embeddings`.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        base_classes: Number of classes to train on.
        head_steps: Steps of gradient descent that fit the head of a new task.
        head_learning_rate: Learning rate of these steps.
        head_weight_decay: Weight decay of these steps.
        seed: Seed of the base head's weights, `None` for others at every call.
    """

    def __init__(
        self,
        encoder: keras.Model,
        base_classes: int,
        *,
        head_steps: int = 200,
        head_learning_rate: float = 0.01,
        head_weight_decay: float = 1e-3,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.base_classes = check_count("base_classes", base_classes, 1)
        self.head_steps = check_count("head_steps", head_steps, 1)
        self.head_learning_rate = check_positive(
            "head_learning_rate", head_learning_rate
        )
        if not 0 <= head_weight_decay < math.inf:
            raise ValueError(
                "`head_weight_decay` must be at least 0 and finite. Received: "
                f"head_weight_decay={head_weight_decay}"
            )
        self.head_weight_decay = float(head_weight_decay)
        self.seed = None if seed is None else check_count("seed", seed, 0)
        super().__init__(encoder, **kwargs)
        check_gives_vectors(self.encoder)
        self.base_head = self.make_base_head()
        self.base_head.build(self.encoder.output_shape)

    def make_base_head(self) -> keras.layers.Layer:
        """A layer from embeddings to the logits of the base classes."""
        raise NotImplementedError

    def base_logits(self, examples: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Logits `(batch, base_classes)` of examples `(batch, *example)`."""
        check_examples(self.encoder, examples.shape[1:])
        embeddings = encode(self.encoder, examples, training=training)
        return self.base_head(tf.cast(embeddings, self.variable_dtype))

    def check_inputs(self, inputs: Any) -> None:
        """As `FewShotLearner.check_inputs`; takes plain examples, too."""
        if not hasattr(inputs, "shape"):
            super().check_inputs(inputs)
            return
        shape = tuple(inputs.shape)
        if fits(shape, self.encoder.inputs[0].shape[1:]):
            raise ValueError(
                "`inputs` must be a batch of examples (examples, *example), or an "
                "episode batch. Write inputs[None] for one example. Received: shape "
                f"{shape}"
            )
        check_examples(self.encoder, shape[1:])

    def call(
        self, inputs: tf.Tensor | dict[str, tf.Tensor], training: bool = False
    ) -> tf.Tensor:
        """Logits of base classes for examples, of its ways for an episode batch.

        Args:
            inputs: Examples `(batch, *example)`, or the inputs of an episode batch.
            training: Whether the encoder runs in training mode.

        Returns:
            `(batch, base_classes)`, or `(tasks, queries, ways)`.
        """
        if isinstance(inputs, dict):
            return super().call(inputs, training=training)
        return self.base_logits(inputs, training=training)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "base_classes": self.base_classes,
            "head_steps": self.head_steps,
            "head_learning_rate": self.head_learning_rate,
            "head_weight_decay": self.head_weight_decay,
            "seed": self.seed,
        }
