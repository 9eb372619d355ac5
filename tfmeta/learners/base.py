"""The learner contract: two verbs, and everything Keras users know around them."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import finite_rows, nan_unless
from tfmeta.learners.contract import LearnerContract
from tfmeta.learners.encoder_check import check_encoder
from tfmeta.learners.logit_losses import logit_loss, logit_metrics
from tfmeta.learners.run_checks import (
    check_class_weight,
    check_shares,
    check_steps,
    check_trainable,
    evenly_shared,
    refused_in_words,
)


class FewShotLearner(LearnerContract, keras.Model):
    """Base of every learner: learns new classes from a support set.

    A subclass implements the mathematics of one paper in two verbs, `adapt`
    and `predict_query`, pure functions of tensors with a leading task axis.
    `compile`, `fit`, `evaluate`, `predict`, callbacks and `.keras` files then
    work as for any Keras model, on the batches of `tfmeta.episodes.Episodes`,
    and the same two verbs are what an export writes into a SavedModel. What else it
    may declare stands in `LearnerContract`.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            embeddings. It must survive saving and loading. `None` for a learner
            without one, which then has no `encoder_arguments` and says by
            `example_spec` what it takes.
    """

    def __init__(self, encoder: keras.Model | None, **kwargs: Any) -> None:
        if encoder is not None or "encoder" in self.encoder_arguments:
            encoder = check_encoder(encoder)
        # Labels and masks must not be rounded by a mixed precision policy; the
        # encoder casts its own inputs.
        super().__init__(autocast=False, **kwargs)
        self.encoder = encoder
        # Everything with weights exists now. Keras would otherwise trace `call`
        # to find out, and keras-tuner would build from shapes it does not know.
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Logits `(tasks, queries, ways)` of an episode batch."""
        if tf.distribute.has_strategy() and tf.distribute.in_cross_replica_context():
            # Keras asks for the shape alone here, to build the metrics, and an
            # inner loop cannot run outside a replica.
            labels, query = inputs["support_labels"], inputs["query"]
            shape = [tf.shape(query)[0], tf.shape(query)[1], tf.shape(labels)[-1]]
            return tf.zeros(shape, self.compute_dtype)
        return self.episode_logits(inputs, training=training)

    def default_loss(self) -> keras.losses.Loss | None:
        """The loss of `compile` when none is given.

        The cross-entropy of the logits over real queries, for regression the mean
        squared error, unless the learner's paper trains on another.
        """
        if self.task == "regression":
            return keras.losses.MeanSquaredError(
                reduction="mean_with_sample_weight", dtype=self._loss_dtype()
            )
        return logit_loss(
            keras.losses.SparseCategoricalCrossentropy, dtype=self._loss_dtype()
        )

    def _loss_dtype(self) -> str | None:
        # Keras would cast float64 logits to its global float type.
        return "float64" if self.compute_dtype == "float64" else None

    def default_metrics(self) -> list[str]:
        """The metrics of `compile` when none are given.

        Accuracy, or for regression the mean squared error.
        """
        return ["mean_squared_error" if self.task == "regression" else "accuracy"]

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        *,
        metrics: list | None = None,
        weighted_metrics: list | None = None,
        **kwargs: Any,
    ) -> None:
        """Configures training, as `keras.Model.compile` does.

        Learners give logits. Keras' sparse categorical cross-entropy is read as of
        logits in whatever way it is given, `"crossentropy"` included; given by name,
        class or function it is the mean over real queries, as the default loss is.
        What else of Keras would take logits for probabilities, or class numbers for
        one-hot labels or targets, is refused. A loss or metric of one's own is given
        integer labels `(tasks, queries)` and logits `(tasks, queries, ways)`: `-inf`
        for an absent way, for metrics the least finite number.

        Args:
            optimizer: As for Keras.
            loss: By default `default_loss()`.
            metrics: By default `default_metrics()`. All are weighted by the query
                mask, since an unweighted one would count padding.
            weighted_metrics: As `metrics`.
            **kwargs: As for `keras.Model.compile`.

        Raises:
            ValueError: When a loss or metric is not right for logits, or for what
                the learner is for; says what to write.
        """
        dtype = self._loss_dtype()
        if loss is None:
            loss = self.default_loss()
        else:
            loss = logit_loss(loss, task=self.task, dtype=dtype)
        if metrics is None and weighted_metrics is None:
            metrics = self.default_metrics()
        chosen = logit_metrics([metrics, weighted_metrics], task=self.task, dtype=dtype)
        super().compile(
            optimizer=optimizer, loss=loss, weighted_metrics=chosen, **kwargs
        )

    @functools.wraps(keras.Model.fit)
    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        check_trainable(self)
        given = inspect.signature(keras.Model.fit).bind(self, *args, **kwargs).arguments
        self._check_run(given, "steps_per_epoch", training=True)
        check_class_weight(given.get("x"), given.get("class_weight"))
        validation = given.get("validation_data")
        if validation is not None:
            if isinstance(validation, tuple):
                validation = validation[0]
            size = given.get("validation_batch_size") or given.get("batch_size")
            check_shares(validation, size, self._replicas, training=False)
            self._check_steps("validation_steps", given.get("validation_steps"))
        with refused_in_words():
            return super().fit(*args, **kwargs)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        signature = inspect.signature(keras.Model.evaluate)
        self._check_run(signature.bind(self, *args, **kwargs).arguments, "steps")
        with refused_in_words():
            return super().evaluate(*args, **kwargs)

    @functools.wraps(keras.Model.predict)
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        signature = inspect.signature(keras.Model.predict)
        self._check_run(signature.bind(self, *args, **kwargs).arguments, "steps")
        with refused_in_words():
            return super().predict(*args, **kwargs)

    def _check_run(
        self, given: dict[str, Any], steps: str, *, training: bool = False
    ) -> None:
        """Refuses what would go wrong in a later step, or without a word."""
        self._check_steps(steps, given.get(steps))
        check_shares(
            given.get("x"), given.get("batch_size"), self._replicas, training=training
        )

    def _check_steps(self, argument: str, steps: int | None) -> None:
        check_steps(argument, steps, getattr(self, "steps_per_execution", None) or 1)

    @property
    def _replicas(self) -> int:
        return self.distribute_strategy.num_replicas_in_sync

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step on a batch, as `keras.Model.train_step`."""
        return super().train_step(evenly_shared(data, training=True))

    def test_step(self, data: Any) -> dict[str, Any]:
        """Metrics of a batch, as `keras.Model.test_step`."""
        return super().test_step(evenly_shared(data, training=False))

    def predict_step(self, data: Any) -> tf.Tensor:
        """Logits of a batch, as `keras.Model.predict_step`."""
        return super().predict_step(evenly_shared(data, training=False))

    def compute_metrics(
        self, x: Any, y: Any, y_pred: tf.Tensor, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Metrics of a batch, as `keras.Model.compute_metrics`."""
        # TensorFlow's top-k counts a row that holds -inf as a miss.
        present = tf.not_equal(y_pred, float("-inf"))
        y_pred = tf.where(present, y_pred, y_pred.dtype.min)
        # The largest of numbers that hold NaN is some way, and so at times the right
        # one: the weight carries NaN into every metric instead.
        sound = finite_rows(y_pred, y_pred.shape.rank - 1)
        if sample_weight is None:
            sample_weight = tf.ones_like(sound, y_pred.dtype)
        sample_weight = tf.cast(sample_weight, y_pred.dtype)
        if sample_weight.shape.rank == sound.shape.rank:
            sample_weight = nan_unless(sound | (sample_weight == 0), sample_weight)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        # Under a strategy Keras builds the metrics from a batch averaged over the
        # replicas, and masks have no average. Shapes are enough.
        if iterator is not None and self._distribute_strategy is not None:
            spec = iterator.data_adapter.get_tf_dataset().element_spec
            if all(isinstance(part, tf.TensorSpec) for part in tf.nest.flatten(spec)):
                iterator, data_batch = None, spec
        super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def compile_from_config(self, config: dict) -> None:
        """Restores the compile state of a saved learner, optimizer included."""
        config = keras.saving.deserialize_keras_object(config)
        try:
            for name in ("metrics", "weighted_metrics"):
                if config.get(name) is not None:
                    config[name] = logit_metrics(
                        config[name],
                        task=self.task,
                        dtype=self._loss_dtype(),
                        convert_instances=True,
                    )
            self.compile(**config)
        except ValueError as error:
            raise ValueError(
                f"{error}. The learner was saved with it: load it by "
                "keras.saving.load_model(file, compile=False) and compile it anew"
            ) from error
        self.optimizer.build(self.trainable_variables)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        encoders = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in self.encoder_arguments
        }
        return {**super().get_config(), **encoders}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The learner of a `get_config`."""
        # Keras takes the configuration of a functional encoder apart.
        config = copy.deepcopy(config)
        for name in cls.encoder_arguments:
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        return cls(**config)
