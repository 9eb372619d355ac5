"""Meta Networks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.learners.model_based.augmented_network import AugmentedNetwork
from tfmeta.learners.model_based.fast_weights import FastWeights
from tfmeta.learners.model_based.memory_learner import (
    MemoryLearner,
    check_sizes,
    real_first,
)
from tfmeta.seeds import spawn_seeds

_TINY = 1e-8


@keras.saving.register_keras_serializable(package="tfmeta")
class MetaNetworks(MemoryLearner):
    """Generates the weights of a classifier from its losses on the support.

    Munkhdalai and Yu (2017), *Meta Networks*. Two networks of the same form have slow
    weights, which training learns, and fast ones, which a task generates:

    1. The gradients of the loss of the embedding network `u`, by its slow weights, on
       each support example become its fast weights `Q*`, one set for the task: an LSTM
       reads them, coordinate by coordinate.
    2. For each support example the gradients of the loss of the classifier `b` become a
       set of fast weights `W*_i`, by a network of three layers; and the example's
       embedding by `u` with `Q*` is its key.
    3. A query's embedding is compared with all keys, by cosines; the fast weights of
       the classifier for that query are the mean of the `W*_i`, weighted by the softmax
       of these.

    `AugmentedNetwork` says how slow and fast weights act together. Gradients are inputs
    here: no derivative is taken of them. The last layer of `u`, which nothing but
    gradients comes from, therefore stays as it was drawn.

    In the paper the loss of `u` is that of pairs where a class has several examples;
    here it is the cross-entropy always, and all support examples take part.

    The order of the support and the numbers of the classes change the answers. What is
    remembered of an example is the example itself, beside what follows from it: to read
    one more, all of them are read again, and nothing is lost.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of maps
            `(height, width, channels)` or vectors: the layers before those that are
            augmented, which learn as they do. The paper has none for Omniglot:
            `tfmeta.encoders.Pixels(flatten=False)`.
        ways: Classes of every task.
        filters: Of each convolution of the two networks.
        blocks: Their convolutions, where the encoder gives maps.
        features: Length of a key.
        units: Of the networks that generate weights.
        seed: Seed of the weights that are made here, and of the order of examples.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When `encoder` gives neither maps nor vectors, or a size is no int
            of at least 1.

    Example:

    ```python
    learner = tfmeta.learners.MetaNetworks(
        tfmeta.encoders.Pixels((28, 28, 1), flatten=False), ways=5, seed=0
    )
    learner.compile(keras.optimizers.Adam(1e-3, global_clipnorm=10.0))
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=10)
    state = learner.adapt(support, support_labels)
    logits = learner.predict_query(state, query)
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        ways: int,
        *,
        filters: int = 64,
        blocks: int = 5,
        features: int = 64,
        units: int = 20,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_sizes(filters=filters, blocks=blocks, features=features, units=units)
        self.filters, self.blocks = filters, blocks
        self.features, self.units = features, units
        super().__init__(encoder, ways, seed=seed, **kwargs)
        shape = self.encoder.output_shape[1:]
        if len(shape) not in (1, 3) or None in shape:
            raise ValueError(
                "`encoder` must give maps (height, width, channels) or vectors, of a "
                f"known size. Received: an encoder of output shape {shape}"
            )
        # Half precision would round gradients away.
        dtype = self.variable_dtype
        seeds = iter(spawn_seeds(seed, 6, stream="meta_networks"))

        def network(name: str, **options: Any) -> AugmentedNetwork:
            return AugmentedNetwork(
                shape,
                ways,
                filters=filters,
                blocks=blocks,
                features=features,
                seed=next(seeds),
                dtype=dtype,
                name=name,
                **options,
            )

        def generators(name: str, **options: Any) -> list[FastWeights]:
            return [
                FastWeights(
                    units=units,
                    seed=next(seeds),
                    dtype=dtype,
                    name=f"{name}_{kind}",
                    **options,
                )
                for kind in (["convolutions"] if len(shape) == 3 else []) + ["dense"]
            ]

        self.embedding = network("embedding", train_logits=False)
        self.classifier = network("classifier")
        self.embedding_fast = generators("embedding_fast", over_examples=True)
        self.classifier_fast = generators("classifier_fast")

    def first_state(self, tasks: tf.Tensor) -> State:
        """No examples; see `MemoryLearner`."""
        dtype = self.variable_dtype
        shape = self.classifier.example_shape
        return {
            "examples": tf.zeros([tasks, 0, *shape], dtype),
            "labels": tf.zeros([tasks, 0, self.ways], dtype),
            "keys": tf.zeros([tasks, 0, self.features], dtype),
            "fast_weights": tf.zeros([tasks, 0, sum(self.classifier.sizes)], dtype),
            "embedding_fast_weights": tf.zeros(
                [tasks, sum(self.embedding.sizes[:-1])], dtype
            ),
        }

    def read_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        labels: tf.Tensor,
        *,
        training: bool = False,
    ) -> State:
        """Generates fast weights of all examples, those that are there as well."""
        examples = tf.concat([state["examples"], embeddings], axis=1)
        labels = tf.concat([state["labels"], labels], axis=1)
        order = real_first(labels)
        examples = tf.gather(examples, order, batch_dims=1)
        labels = tf.gather(labels, order, batch_dims=1)
        real = tf.reduce_any(labels > 0, axis=-1)
        tasks, rows = tf.shape(labels)[0], tf.shape(labels)[1]
        flat = tf.reshape(examples, [-1, *self.classifier.example_shape])
        flat_labels = tf.reshape(labels, [-1, self.ways])

        def gradients_of(network: AugmentedNetwork) -> list[tf.Tensor]:
            found = network.example_gradients(flat, flat_labels)
            sizes = network.sizes
            return [
                tf.reshape(gradient, [tasks, rows, size])
                for gradient, size in zip(found, sizes, strict=True)
            ]

        # Keys are made of hidden features: the last layer's fast weights play no part.
        generated = self._generated(
            self.embedding_fast, gradients_of(self.embedding)[:-1], real, training
        )
        of_task = tf.concat(generated, axis=-1)
        keys = self._keys(of_task, flat, training)
        fast = self._generated(
            self.classifier_fast, gradients_of(self.classifier), real, training
        )
        return {
            "examples": examples,
            "labels": labels,
            "keys": tf.reshape(keys, [tasks, rows, self.features]),
            "fast_weights": tf.concat(fast, axis=-1),
            "embedding_fast_weights": of_task,
        }

    def answer_embeddings(
        self, state: State, embeddings: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """Logits of queries, each with fast weights of its own."""
        shape = tf.shape(embeddings)
        flat = tf.reshape(embeddings, [-1, *self.classifier.example_shape])
        weights = self.attention(state, embeddings, training=training)
        fast = tf.matmul(weights, state["fast_weights"])
        fast = tf.reshape(fast, [shape[0] * shape[1], sum(self.classifier.sizes)])
        fast = tf.split(fast, self.classifier.sizes, axis=-1)
        _, logits = self.classifier(flat, fast, training=training)
        return tf.reshape(logits, [shape[0], shape[1], self.ways])

    def attention(
        self, state: State, embeddings: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """What share of its weights a query takes of each support example.

        Args:
            state: As `read_embeddings` gives it.
            embeddings: `(tasks, queries, *embedding)`.
            training: Whether layers run in training mode.

        Returns:
            `(tasks, queries, examples)`, 0 for padding.
        """
        shape = tf.shape(embeddings)
        flat = tf.reshape(embeddings, [-1, *self.embedding.example_shape])
        queries = self._keys(state["embedding_fast_weights"], flat, training)
        queries = tf.reshape(queries, [shape[0], shape[1], self.features])
        cosines = tf.matmul(_unit(queries), _unit(state["keys"]), transpose_b=True)
        real = tf.reduce_any(state["labels"] > 0, axis=-1)
        # The softmax of nothing would not be a number.
        real |= ~tf.reduce_any(real, axis=1, keepdims=True)
        never = tf.constant(float("-inf"), cosines.dtype)
        return tf.nn.softmax(tf.where(real[:, tf.newaxis], cosines, never))

    def _keys(self, of_task: tf.Tensor, rows: tf.Tensor, training: bool) -> tf.Tensor:
        """Embeddings `(rows, features)` by the fast weights of their task."""
        fast = tf.split(of_task, self.embedding.sizes[:-1], axis=-1)
        return self.embedding(rows, fast, training=training)[0]

    def _generated(
        self,
        generators: list[FastWeights],
        gradients: list[tf.Tensor],
        real: tf.Tensor,
        training: bool,
    ) -> list[tf.Tensor]:
        """Fast weights of all layers: convolutions have a generator of their own."""
        convolutions = self.embedding.convolutions
        kinds = [k for k in (gradients[:convolutions], gradients[convolutions:]) if k]
        return [
            generator(tf.concat(kind, axis=-1), real, training=training)
            for generator, kind in zip(generators, kinds, strict=True)
        ]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "blocks": self.blocks,
            "features": self.features,
            "units": self.units,
        }


def _unit(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors of length 1; 0 stays 0."""
    squares = tf.reduce_sum(vectors**2, axis=-1, keepdims=True)
    return vectors * tf.math.rsqrt(squares + _TINY)
