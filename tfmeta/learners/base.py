"""The learner contract: two verbs, and everything Keras users know around them."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import finite_rows, nan_unless
from tfmeta.learners.checked_verbs import check_batch, check_verbs, checked_step
from tfmeta.learners.contract import LearnerContract
from tfmeta.learners.encoder_check import check_encoder
from tfmeta.learners.fit_data import batches_of, check_has_end
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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_verbs(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> tf.Tensor:
        """Calls the learner, as `keras.Model.__call__`."""
        # Before Keras, who would tell an error by all that it was called with.
        self.check_inputs(args[0] if args else kwargs.get("inputs"))
        return super().__call__(*args, **kwargs)

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
        run = _bound(keras.Model.fit, self, args, kwargs)
        epochs = run.get("epochs", 1)
        self._check_run(run, "steps_per_epoch", passes=epochs, training=True)
        check_class_weight(run.get("x"), run.get("class_weight"))
        if isinstance(run.get("x"), tf.data.Dataset):
            # Keras would warn that its own default does nothing.
            run.setdefault("shuffle", False)
        if run.get("validation_data") is not None:
            self._check_validation(run)
        with refused_in_words():
            return super().fit(**run)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        run = _bound(keras.Model.evaluate, self, args, kwargs)
        self._check_run(run, "steps")
        with refused_in_words():
            return super().evaluate(**run)

    @functools.wraps(keras.Model.predict)
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        run = _bound(keras.Model.predict, self, args, kwargs)
        self._check_run(run, "steps", labelled=False)
        with refused_in_words():
            return super().predict(**run)

    @functools.wraps(keras.Model.train_on_batch)
    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        run = _bound(keras.Model.train_on_batch, self, args, kwargs)
        check_class_weight(run.get("x"), run.get("class_weight"))
        return super().train_on_batch(**run)

    def export(self, *args: Any, **kwargs: Any) -> None:
        """Refused: `tfmeta.export.save` writes a learner with its signatures.

        Raises:
            ValueError: Always; says what to write.
        """
        path = args[0] if args else kwargs.get("filepath", "served/model")
        raise ValueError(
            "`export` must be that of tfmeta, which writes the signatures `classify` "
            "and, where there is one, `embed`: Keras' own knows of neither. Write "
            f"tfmeta.export.save(learner, {str(path)!r}). Received: "
            f"{type(self).__name__}.export"
        )

    def _check_run(
        self,
        run: dict[str, Any],
        steps: str,
        *,
        passes: int = 1,
        training: bool = False,
        labelled: bool = True,
    ) -> None:
        """Refuses what would go wrong in a later step, or without a word.

        Args:
            run: The arguments by name; `Episodes` become their batches.
            steps: How the number of steps is called.
            passes: How often so many steps are taken.
            training: Whether gradients are taken.
            labelled: Whether labels are needed.
        """
        self._check_steps(steps, run.get(steps))
        data = batches_of(run.get("x"), steps, run.get(steps), passes=passes)
        run["x"] = data
        check_has_end(data, steps, run.get(steps), batch_size=run.get("batch_size"))
        self._check_form(data, run.get("y"), run.get("sample_weight"), labelled)
        check_shares(data, run.get("batch_size"), self._replicas, training=training)

    def _check_validation(self, run: dict[str, Any]) -> None:
        """As `_check_run`, of what `fit` validates on."""
        self._check_steps("validation_steps", run.get("validation_steps"))
        steps = run.get("validation_steps")
        data = batches_of(run["validation_data"], "validation_steps", steps)
        run["validation_data"] = data
        check_has_end(data, "validation_steps", steps)
        if isinstance(data, tuple):
            data, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            self._check_form(data, y, weight, labelled=True)
        else:
            self._check_form(data, None, None, labelled=True)
        size = run.get("validation_batch_size") or run.get("batch_size")
        check_shares(data, size, self._replicas, training=False)

    def _check_form(self, x: Any, y: Any, weight: Any, labelled: bool) -> None:
        """Refuses batches of another form, where it is known before the first."""
        if isinstance(x, tf.data.Dataset):
            x, y, weight = keras.utils.unpack_x_y_sample_weight(x.element_spec)
        elif not (isinstance(x, dict) or hasattr(x, "shape")):
            return
        if labelled:
            check_batch(self, (x, y, weight))
        else:
            self.check_inputs(x)

    def _check_steps(self, argument: str, steps: int | None) -> None:
        check_steps(argument, steps, getattr(self, "steps_per_execution", None) or 1)

    @property
    def _replicas(self) -> int:
        return self.distribute_strategy.num_replicas_in_sync

    @checked_step
    def train_step(self, data: Any) -> dict[str, Any]:
        """One step on a batch, as `keras.Model.train_step`."""
        return super().train_step(evenly_shared(data, training=True))

    @checked_step
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


def _bound(verb: Any, learner: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
    """The arguments that a verb of Keras was given, by name."""
    bound = dict(inspect.signature(verb).bind(learner, *args, **kwargs).arguments)
    further = bound.pop("kwargs", {})
    del bound["self"]
    return {**bound, **further}
