"""A learned distance between tasks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.seeds import spawn_seeds
from tfmeta.tasks.description import Description

COMMON, OF_CLASSES, PRESENT = "common", "of_classes", "present"


@keras.saving.register_keras_serializable(package="tfmeta")
class TaskMetric(keras.Model):
    """Embeds tasks by their descriptions, so that alike ones lie close.

    A Keras model from descriptions to vectors of length 1. What is alike the labels of
    `fit` say: a superclass, an alphabet, a domain. The losses are those of metric
    learning over examples, `tfmeta.losses.TripletLoss` and `ContrastiveLoss`, over
    tasks here; a batch must hold several tasks of a label.

    What is of classes goes through a network that is the same for each, and then their
    mean: the order of classes changes nothing (Zaheer et al., 2017, *Deep Sets*).

    Args:
        common: Numbers that describe a task as a whole, see `Description`.
        of_classes: Numbers that describe each of its classes, 0 for none.
        size: Length of an embedding.
        units: Of the hidden layers. With 0 the metric is a matrix on the numbers of the
            task as a whole, and begins as the identity: the distance of these numbers
            in their deviations. It has less to learn by heart.
        seed: Seed of the weights.

    Example:

    ```python
    description = tfmeta.tasks.FeatureStatistics()(rows, labels)
    metric = tfmeta.tasks.TaskMetric.of(description, seed=0)
    metric.compile("adam", loss=tfmeta.losses.TripletLoss(margin=0.2))
    metric.fit(metric.inputs(description), groups, batch_size=256, epochs=20)
    embeddings = metric.embed(description)
    ```
    """

    def __init__(
        self,
        common: int,
        of_classes: int = 0,
        *,
        size: int = 32,
        units: int = 128,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.common, self.of_classes = common, of_classes
        self.size, self.units, self.seed = size, units, seed
        seeds = iter(spawn_seeds(seed, 4, stream="task_metric"))

        def dense(size: int, name: str, **options: Any) -> keras.layers.Dense:
            initializer = keras.initializers.GlorotUniform(next(seeds))
            return keras.layers.Dense(
                size, kernel_initializer=initializer, name=name, **options
            )

        self.common_scale = self._scale("common", common)
        self.class_scale = self._scale("class", of_classes)
        if not units:
            if not common:
                raise ValueError("`common` must be above 0 with `units=0`. Received: 0")
            self.embedding = keras.layers.Dense(
                size, use_bias=False, kernel_initializer="identity", name="embedding"
            )
            self.embedding.build((None, common))
            self.built = True
            return
        self.of_common = dense(units, "of_common", activation="relu")
        self.of_class = dense(units, "of_class", activation="relu")
        self.hidden = dense(units, "hidden", activation="relu")
        self.embedding = dense(size, "embedding")
        joined = 0
        if common:
            self.of_common.build((None, common))
            joined += units
        if of_classes:
            self.of_class.build((None, None, of_classes))
            joined += units
        if not joined:
            raise ValueError(
                "`common` or `of_classes` must be above 0. Received: both 0"
            )
        self.hidden.build((None, joined))
        self.embedding.build((None, units))
        self.built = True

    @classmethod
    def of(cls, description: Description, **options: Any) -> TaskMetric:
        """A metric for such descriptions, their numbers standardised by these.

        Args:
            description: Of the tasks that it will be trained on.
            **options: See the constructor.
        """
        metric = cls(
            description.common.shape[1], description.of_classes.shape[2], **options
        )
        of_classes = description.of_classes[description.present]
        for scale, rows in (
            (metric.common_scale, description.common),
            (metric.class_scale, of_classes),
        ):
            if not rows.size:  # There is nothing of that kind.
                continue
            for weight, found in zip(scale, (rows.mean(0), rows.std(0)), strict=True):
                weight.assign(found)
        return metric

    def _scale(self, name: str, size: int) -> list[keras.Variable]:
        """Mean and deviation by which numbers are standardised."""
        return [
            self.add_weight(
                shape=(size,),
                initializer=start,
                trainable=False,
                autocast=False,
                name=f"{name}_{of}",
            )
            for of, start in (("mean", "zeros"), ("deviation", "ones"))
        ]

    def inputs(self, description: Description) -> dict[str, Any]:
        """What `fit` and `predict` take."""
        parts: dict[str, Any] = {}
        if self.common:
            parts[COMMON] = description.common
        if self.of_classes:
            parts[OF_CLASSES] = description.of_classes
            parts[PRESENT] = description.present
        return parts

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Embeddings `(tasks, size)` of length 1."""
        parts = []
        if not self.units:
            rows = _standardised(inputs[COMMON], self.common_scale)
            return tf.math.l2_normalize(self.embedding(rows), axis=-1)
        if self.common:
            parts.append(
                self.of_common(_standardised(inputs[COMMON], self.common_scale))
            )
        if self.of_classes:
            each = self.of_class(_standardised(inputs[OF_CLASSES], self.class_scale))
            present = tf.cast(inputs[PRESENT], each.dtype)[:, :, tf.newaxis]
            count = tf.maximum(tf.reduce_sum(present, axis=1), 1.0)
            parts.append(tf.reduce_sum(each * present, axis=1) / count)
        embedding = self.embedding(self.hidden(tf.concat(parts, axis=-1)))
        return tf.math.l2_normalize(embedding, axis=-1)

    def embed(self, description: Description) -> Any:
        """Embeddings as a NumPy array `(tasks, size)`."""
        return self.predict(self.inputs(description), batch_size=1024, verbose=0)

    def copy(self) -> TaskMetric:
        """Another of the same weights, not compiled."""
        # Layers of a model that was made frozen stay as they are when it is frozen.
        copy = type(self).from_config({**self.get_config(), "trainable": True})
        copy.set_weights(self.get_weights())
        return copy

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "common": self.common,
            "of_classes": self.of_classes,
            "size": self.size,
            "units": self.units,
            "seed": self.seed,
        }


def _standardised(values: tf.Tensor, scale: list[keras.Variable]) -> tf.Tensor:
    mean, deviation = (tf.convert_to_tensor(weight) for weight in scale)
    # What is the same for all tasks says nothing of any.
    return tf.math.divide_no_nan(tf.cast(values, mean.dtype) - mean, deviation)
