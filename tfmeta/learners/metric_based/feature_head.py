"""What heads on a frozen encoder share: features, a base mean, priors of classes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfmeta.learners.class_sums import at_least_float32
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.learners.metric_based.class_priors import with_priors
from tfmeta.learners.metric_based.feature_transform import FeatureTransform, Transform
from tfmeta.learners.metric_based.pretrained_learner import check_positive
from tfmeta.learners.served_answers import classified
from tfmeta.row_tables import of_each_row
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec
from tfmeta.signatures.label_checks import checked_prior_labels


class FeatureHead(EmbeddingLearner):
    """A head that is a function of the support's features, and learns nothing else.

    It has no trainable weights beside those of the encoder, which may be frozen: then
    it is used as it is made, without `fit`. Where the encoder is not, `fit` on
    episodes trains it through the head.

    A class may be known by a description before it has a single shot: a text by the
    name of its class, embedded by the same encoder. Such a `prior` is a row of the
    support that weighs `prior_shots` shots; a class without shots is its prior, and
    every shot takes from its share.

    A subclass implements `fit_features` and `compare_features`.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        transform: What is done to the features: `"none"`, `"l2"` for unit length, or
            `"centered_l2"` for unit length about a stored mean.
        base_mean: That mean, `(features,)`; see `fit_base_mean`.
        prior_shots: How many shots the prior of a class weighs.
    """

    def __init__(
        self,
        encoder: keras.Model,
        transform: Transform = "l2",
        *,
        base_mean: ArrayLike | None = None,
        prior_shots: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.prior_shots = check_positive("prior_shots", prior_shots)
        super().__init__(encoder, **kwargs)
        check_gives_vectors(self.encoder)
        self.feature_transform = FeatureTransform(
            transform,
            self.encoder.output_shape[-1],
            base_mean,
            dtype=self.variable_dtype,
            name="feature_transform",
        )

    @property
    def transform(self) -> Transform:
        """What is done to the features."""
        return self.feature_transform.transform

    @property
    def base_mean(self) -> np.ndarray | None:
        """The mean that features are centred by, `(features,)`; `None` without one."""
        if not self.feature_transform.has_mean:
            return None
        return keras.ops.convert_to_numpy(self.feature_transform.mean)

    @property
    def needs_base_mean(self) -> bool:  # type: ignore[override]
        """Whether features are centred, and there is no mean yet."""
        return self.transform == "centered_l2" and self.base_mean is None

    def fit_base_mean(self, base: ArrayLike | tf.data.Dataset) -> None:
        """Stores the mean of the features of base classes, for `"centered_l2"`.

        Base classes are others than those to be told apart: those of the training
        data, or any examples of the kind.

        Args:
            base: Embeddings `(examples, features)`; or a finite `tf.data.Dataset` of
                batches of examples, or of `(examples, ...)`, which are embedded.

        Raises:
            ValueError: When it is neither, has no end, or holds no example.

        Example:

        ```python
        learner = tfmeta.learners.SimpleShot(encoder, "centered_l2")
        learner.fit_base_mean(as_supervised(train, batch_size=64, epochs=1))
        ```
        """
        total, count = np.zeros(self.encoder.output_shape[-1]), 0
        for embeddings in self._base_embeddings(base):
            total += np.sum(embeddings, axis=0, dtype=np.float64)
            count += len(embeddings)
        if not count:
            raise ValueError(
                "`base` must hold at least one example of base classes. Received: none"
            )
        self.feature_transform.set_mean(total / count)

    def _base_embeddings(self, base: ArrayLike | tf.data.Dataset) -> Any:
        features = self.encoder.output_shape[-1]
        if not isinstance(base, tf.data.Dataset):
            embeddings = np.asarray(base)
            if embeddings.ndim != 2 or embeddings.shape[1] != features:
                raise ValueError(
                    f"`base` must be embeddings (examples, {features}), or a "
                    "tf.data.Dataset of batches of examples. Received: shape "
                    f"{embeddings.shape}"
                )
            return [embeddings]
        if base.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "`base` must end, with every example of base classes once. Received: "
                "a tf.data.Dataset without an end"
            )
        embed = tf.function(
            lambda examples: at_least_float32(self.embed(examples[None])[0]),
            reduce_retracing=True,
        )
        return (
            embed(batch[0] if isinstance(batch, tuple) else batch).numpy()
            for batch in base
        )

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        prior: tf.Tensor | None = None,
        prior_mask: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
    ) -> State:
        """Learns the classes of the support set; see `FewShotLearner.adapt`.

        Args:
            support: `(tasks, support, *example)`; `support` may be 0 with a prior.
            support_labels: `(tasks, support, ways)` one-hot float. A row times a
                number counts for as many shots.
            support_mask: `(tasks, support)` bool, False is padding, or `None`.
            prior: `(tasks, ways, *example)`, one description of each class as the
                encoder takes it, or `None`.
            prior_mask: `(tasks, ways)` bool, False for a class without one.
            state: `None`; no head goes on from a state.
            training: Whether layers run in training mode.
        """
        rows, labels, mask = with_priors(
            support,
            support_labels,
            prior,
            prior_shots=self.prior_shots,
            support_mask=support_mask,
            prior_mask=prior_mask,
        )
        return super().adapt(
            rows, labels, support_mask=mask, state=state, training=training
        )

    def adapt_embeddings(
        self,
        embeddings: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        unlabelled: tf.Tensor | None = None,
        unlabelled_mask: tf.Tensor | None = None,
        prior: tf.Tensor | None = None,
        prior_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> State:
        """`adapt` from embeddings, those of `prior` `(tasks, ways, features)`."""
        rows, labels, mask = with_priors(
            embeddings,
            support_labels,
            prior,
            prior_shots=self.prior_shots,
            support_mask=support_mask,
            prior_mask=prior_mask,
        )
        features = of_each_row(self.feature_transform, at_least_float32(rows))
        return self.fit_features(features, labels, mask)

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Logits `(tasks, queries, ways)`; `-inf` for absent ways."""
        features = of_each_row(self.feature_transform, at_least_float32(embeddings))
        return self.compare_features(state, features)

    def fit_features(
        self,
        features: tf.Tensor,
        support_labels: tf.Tensor,
        support_mask: tf.Tensor | None,
    ) -> State:
        """The state, from transformed features.

        Args:
            features: `(tasks, support, features)`, float32 or float64.
            support_labels: `(tasks, support, ways)`, one-hot times the weight of a
                row.
            support_mask: `(tasks, support)` bool, or `None`.
        """
        raise NotImplementedError

    def compare_features(self, state: State, features: tf.Tensor) -> tf.Tensor:
        """Logits `(tasks, queries, ways)`, from transformed features of queries."""
        raise NotImplementedError

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """As `EmbeddingLearner.endpoints`, and `classify_with_prior`.

        That takes a `prior` `(ways, *example)` besides, one description of each
        class, which says how many ways there are. Its support may be empty, and need
        not have shots of every class.
        """
        shape = [None, *examples.shape]
        inputs = (
            tf.TensorSpec(shape, examples.dtype, "support"),
            tf.TensorSpec([None], tf.int32, "support_labels"),
            tf.TensorSpec(shape, examples.dtype, "prior"),
            tf.TensorSpec(shape, examples.dtype, "query"),
        )
        return [
            *super().endpoints(examples),
            Endpoint("classify_with_prior", self._served_with_prior, inputs),
        ]

    def _served_with_prior(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        prior: tf.Tensor,
        query: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        labels = checked_prior_labels(support, support_labels, prior)
        # Without this an encoder could fail first, in words of its own.
        with tf.control_dependencies([labels]):
            support, prior = tf.identity(support), tf.identity(prior)
        one_hot = tf.one_hot(labels, tf.shape(prior)[0])
        state = self.adapt(support[None], one_hot[None], prior=prior[None])
        return classified(self.predict_query(state, query[None])[0])

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        mean = self.base_mean
        return {
            **super().get_config(),
            "transform": self.transform,
            "base_mean": None if mean is None else mean.tolist(),
            "prior_shots": self.prior_shots,
        }
