"""A learner that begins each task at what was learned on the tasks that are near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.finite import finite_rows, nan_unless
from tfmeta.finite_checks import check_finite
from tfmeta.learners.class_sums import class_means, only_present, real_labels
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.tasks.description import Describer, real_rows
from tfmeta.tasks.starts import (
    check_ways,
    matched_classes,
    mixed_start,
    mixture_weights,
    nearest_tasks,
)
from tfmeta.tasks.task_metric import TaskMetric
from tfmeta.tasks.task_network import Parameters, TaskNetwork

MATCHES = ("classes", "body")


@keras.saving.register_keras_serializable(package="tfmeta")
class WarmStart(EmbeddingLearner):
    """Trains a small network on the support, from that of the nearest known tasks.

    A support is described and embedded; the known tasks that lie nearest say where
    training begins, at the network of the nearest, or at the mean of several weighted
    by how near they are. Then it is trained on the support, as theirs were.

    Classes of two tasks differ. With `match="classes"` the columns of a neighbour's
    head are put in the order in which its classes are most alike to those of the new
    task, as `tfmeta.tasks.starts.matched_classes` finds it; with `match="body"` only
    the layers before are taken, and the head begins as at the plain start.

    Where no known task lies within `threshold`, training begins at the network's plain
    start, and `state["warm"]` is `False`.

    `TaskLibrary.learner` makes one of a library. It is used as it is made, without
    `fit`.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of vectors,
            frozen: the known networks were trained on what it gave.
        network: What is trained on every task.
        describer: What describes a support.
        metric: What embeds descriptions.
        names: Of the known tasks. Their embeddings and networks are given by
            `set_tasks`.
        neighbours: How many are mixed, at most those that there are.
        match: `"classes"` or `"body"`.
        threshold: The distance beyond which a task is no neighbour; `None` for any.
        temperature: Of the weights of a mixture, see `starts.mixture_weights`.
        steps: Of training on a support.
        learning_rate: See `TaskNetwork.fit`.

    Raises:
        ValueError: When an argument is none of what it must be.

    Example:

    ```python
    learner = library.learner(encoder, neighbours=5)
    state = learner.adapt(support, support_labels)
    logits = learner.predict_query(state, query)
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        network: TaskNetwork,
        describer: Describer,
        metric: TaskMetric,
        names: Sequence[str] = (),
        *,
        neighbours: int = 1,
        match: str = "body",
        threshold: float | None = None,
        temperature: float = 0.1,
        steps: int = 20,
        learning_rate: float = 0.01,
        **kwargs: Any,
    ) -> None:
        _check(
            neighbours=neighbours,
            match=match,
            threshold=threshold,
            temperature=temperature,
            steps=steps,
            learning_rate=learning_rate,
        )
        if match == "classes":
            check_ways(network.outputs)
        self.network, self.describer = network, describer
        self.names = list(names)
        self.neighbours, self.match, self.threshold = neighbours, match, threshold
        self.temperature, self.steps = temperature, steps
        self.learning_rate = learning_rate
        self.fixed_ways = network.outputs
        super().__init__(encoder, **kwargs)
        if self.encoder.output_shape[1:] != (network.features,):
            raise ValueError(
                f"`encoder` must give vectors of {network.features} features, as "
                "`network` takes them. Received: an encoder of output shape "
                f"{self.encoder.output_shape[1:]}"
            )
        # What is known was embedded by these weights: nothing trains them.
        self.metric = metric.copy()
        self.metric.trainable = False
        known = len(self.names)
        shapes = {
            "embeddings": (known, metric.size),
            "prototypes": (known, network.outputs, network.features),
            "present": (known, network.outputs),
            **{
                f"parameters_{number}": (known, *shape)
                for number, shape in enumerate(network.shapes)
            },
        }
        self.known = {
            name: self.add_weight(
                shape=shape,
                initializer="zeros",
                trainable=False,
                autocast=False,
                name=f"known_{name}",
            )
            for name, shape in shapes.items()
        }

    def set_tasks(
        self,
        embeddings: np.ndarray,
        prototypes: np.ndarray,
        present: np.ndarray,
        parameters: Sequence[np.ndarray],
    ) -> None:
        """Gives what is known of the tasks in `names`, in their order.

        Args:
            embeddings: By `metric`, `(known, size)`.
            prototypes: Mean features of their classes, `(known, ways, features)`.
            present: Bool `(known, ways)`: which ways they have.
            parameters: Of their networks, each part `(known, *shape)`.

        Raises:
            ValueError: When a shape is another, or a number is not finite.
        """
        given = {
            "embeddings": embeddings,
            "prototypes": prototypes,
            "present": np.asarray(present, np.float32),
            **{f"parameters_{n}": part for n, part in enumerate(parameters)},
        }
        for name, weight in self.known.items():
            part = np.asarray(given.get(name), np.float32)
            if part.shape != tuple(weight.shape):
                raise ValueError(
                    f"`{name}` must be of shape {tuple(weight.shape)}. Received: "
                    f"{part.shape}"
                )
            check_finite(name, part)
            weight.assign(part)

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
        """The trained networks of tasks, and which known ones they began at."""
        rows = tf.cast(embeddings, self.variable_dtype)
        labels = real_labels(support_labels, support_mask, rows.dtype)
        labels = tf.ensure_shape(labels, [None, None, self.network.outputs])
        rows, _ = real_rows(rows, labels)
        sound = finite_rows(rows)
        start, found = self._start(rows, labels)
        trained = self.network.trained(
            rows,
            labels,
            start=start,
            steps=self.steps,
            learning_rate=self.learning_rate,
        )
        return {
            **{f"parameters_{n}": nan_unless(sound, p) for n, p in enumerate(trained)},
            **found,
            "present": tf.reduce_any(labels > 0, axis=1),
        }

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Logits of queries by the trained networks, `-inf` for absent ways."""
        parts = [state[f"parameters_{n}"] for n in range(len(self.network.shapes))]
        rows = tf.cast(embeddings, self.variable_dtype)
        logits = self.network(parts, rows)
        # Rectifiers would make a number of what is none.
        logits = nan_unless(finite_rows(rows, 2), logits)
        return only_present(logits, state["present"])

    def _start(self, rows: tf.Tensor, labels: tf.Tensor) -> tuple[Parameters, State]:
        """Where training begins, and what is said of it."""
        tasks = tf.shape(rows)[0]
        plain = self.network.started(tasks, rows.dtype)
        neighbours = min(self.neighbours, len(self.names))
        if not neighbours:
            nothing = {
                "nearest": tf.zeros([tasks, 0], tf.int32),
                "distances": tf.zeros([tasks, 0], rows.dtype),
                "warm": tf.zeros([tasks], tf.bool),
            }
            return plain, nothing
        description = self.describer.tensors(rows, labels)
        embeddings = self.metric(self.metric.inputs(description))
        embeddings = tf.cast(embeddings, rows.dtype)
        distances, nearest = nearest_tasks(
            embeddings, self.known["embeddings"], neighbours
        )
        near = tf.ones_like(distances, tf.bool)
        if self.threshold is not None:
            near = distances <= self.threshold
        warm = near[:, 0]
        # One beyond the threshold has no part in a mixture.
        infinite = tf.constant(float("inf"), distances.dtype)
        counted = tf.where(near | ~warm[:, tf.newaxis], distances, infinite)
        weights = mixture_weights(counted, self.temperature)

        def of_nearest(name: str) -> tf.Tensor:
            return tf.gather(tf.convert_to_tensor(self.known[name]), nearest)

        classes = None
        if self.match == "classes":
            prototypes, count = class_means(rows, labels)
            classes = matched_classes(
                prototypes,
                count > 0,
                of_nearest("prototypes"),
                of_nearest("present") > 0,
            )
        parts = [of_nearest(f"parameters_{n}") for n in range(len(plain))]
        mixed = mixed_start(tuple(parts), weights, classes, plain)
        start = tuple(
            tf.where(tf.reshape(warm, [-1] + [1] * (one.shape.rank - 1)), one, other)
            for one, other in zip(mixed, plain, strict=True)
        )
        return start, {"nearest": nearest, "distances": distances, "warm": warm}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "network": serialize(self.network),
            "describer": serialize(self.describer),
            "metric": serialize(self.metric),
            "names": self.names,
            "neighbours": self.neighbours,
            "match": self.match,
            "threshold": self.threshold,
            "temperature": self.temperature,
            "steps": self.steps,
            "learning_rate": self.learning_rate,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The learner of a `get_config`."""
        parts = {
            name: keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
            for name in ("network", "describer", "metric")
        }
        return super().from_config({**config, **parts}, custom_objects)


def _check(
    *,
    neighbours: int,
    match: str,
    threshold: float | None,
    temperature: float,
    steps: int,
    learning_rate: float,
) -> None:
    for name, count, least in (("neighbours", neighbours, 1), ("steps", steps, 0)):
        if isinstance(count, bool) or not isinstance(count, int) or count < least:
            raise ValueError(
                f"`{name}` must be an int of at least {least}. Received: "
                f"{name}={count!r}"
            )
    if match not in MATCHES:
        raise ValueError(
            f"`match` must be one of {', '.join(MATCHES)}. Received: match={match!r}"
        )
    above = {"temperature": temperature, "learning_rate": learning_rate}
    if threshold is not None:
        above["threshold"] = threshold
    for name, value in above.items():
        if not 0 < value < float("inf"):
            raise ValueError(
                f"`{name}` must be above 0 and finite. Received: {name}={value!r}"
            )
