"""A learner of regression that was trained in units of deviations, in those of data."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.finite_checks import check_finite
from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.each_query import State
from tfmeta.learners.task_endpoints import adaptation_endpoints
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec

_NAMES = ("feature_mean", "feature_scale", "target_mean", "target_scale")


@keras.saving.register_keras_serializable(package="tfmeta")
class StandardizedLearner(FewShotLearner):
    """Takes rows and targets in their own units, and answers in those of the targets.

    Networks learn numbers of about 0 to 1; prices are others. Rows and targets go to
    the learner as `(x - mean) / scale`, predictions come back as `mean + scale * y`.
    It is done in float64: a year or a time in seconds is large beside its deviation.

    The learner inside is trained, on a table that is standardized alike
    (`tfmeta.datasets.task_table.TaskTable.standardized`); this one is measured, saved
    and served.

    Args:
        learner: A learner of regression, of rows of numbers `(features,)`.
        feature_mean: One number for each feature.
        feature_scale: Likewise, above 0.
        target_mean: One number for each output.
        target_scale: Likewise, above 0.

    Raises:
        TypeError: When `learner` is no `FewShotLearner`.
        ValueError: When it is for classification, or numbers are not finite, too few
            or too many, or a scale is not above 0.

    Example:

    ```python
    by = table.standardization()
    learner.fit(TaskEpisodes(table.standardized(by)).as_dataset(), steps_per_epoch=100)
    in_euros = tfmeta.learners.StandardizedLearner(learner, *by)
    state = in_euros.adapt(houses, prices)
    ```
    """

    task = "regression"
    encoder_arguments = ()
    feature_mean: np.ndarray
    feature_scale: np.ndarray
    target_mean: np.ndarray
    target_scale: np.ndarray

    def __init__(
        self,
        learner: FewShotLearner,
        feature_mean: Sequence[float] | np.ndarray,
        feature_scale: Sequence[float] | np.ndarray,
        target_mean: Sequence[float] | np.ndarray,
        target_scale: Sequence[float] | np.ndarray,
        **kwargs: Any,
    ) -> None:
        if not isinstance(learner, FewShotLearner):
            raise TypeError(
                "`learner` must be a FewShotLearner. Received: "
                f"{type(learner).__name__}"
            )
        if learner.task != "regression":
            raise ValueError(
                "`learner` must be one of regression. Received: a "
                f"{type(learner).__name__} with task={learner.task!r}"
            )
        super().__init__(None, **kwargs)
        self.learner = learner
        self.transductive = learner.transductive
        self.uses_unlabelled = learner.uses_unlabelled
        shape = learner.example_spec().shape
        given = (feature_mean, feature_scale, target_mean, target_scale)
        for name, values in zip(_NAMES, given, strict=True):
            of_features = name.startswith("feature")
            wanted = shape if of_features else (learner.fixed_ways,)
            setattr(self, name, _checked(name, values, wanted))

    @property
    def fixed_ways(self) -> int | None:  # type: ignore[override]
        """Outputs of the learner inside."""
        return self.learner.fixed_ways

    @property
    def pretraining_data(self) -> str | None:
        """As of the learner inside."""
        return self.learner.pretraining_data

    @property
    def target_dtype(self) -> tf.DType:
        """Float64."""
        return tf.float64

    def example_spec(self, input_dtype: str | None = None) -> ExampleSpec:
        """Rows of float64, or of `input_dtype`."""
        dtype = tf.as_dtype(input_dtype or "float64")
        return ExampleSpec(self.learner.example_spec().shape, dtype, float_too=False)

    def support_spec(self, examples: ExampleSpec) -> ExampleSpec:
        """As queries are."""
        return examples

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
        **unlabelled: tf.Tensor,
    ) -> State:
        """The state of the learner inside; see `FewShotLearner.adapt`."""
        return self.learner.adapt(
            self._rows(support),
            self._scaled(support_labels),
            support_mask=support_mask,
            training=training,
            **({} if state is None else {"state": state}),
            **self._rows_by_name(unlabelled),
        )

    def predict_query(
        self,
        state: State,
        query: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Predictions in units of the targets; see `FewShotLearner.predict_query`."""
        return self._in_units(
            self.learner.predict_query(
                state, self._rows(query), query_mask=query_mask, training=training
            )
        )

    def predict_each_query(self, state: State, query: tf.Tensor) -> tf.Tensor:
        """As `predict_query`, where no other query has a part in it."""
        return self._in_units(self.learner.predict_each_query(state, self._rows(query)))

    def episode_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Predictions for a whole episode batch, in units of the targets."""
        scaled = self._rows_by_name(inputs)
        scaled["support_labels"] = self._scaled(inputs["support_labels"])
        return self._in_units(self.learner.episode_logits(scaled, training=training))

    def state_spec(self, ways: int | None) -> dict[str, tf.TensorSpec]:
        """As of the learner inside."""
        return self.learner.state_spec(ways)

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """Those of the learner inside, in the units of the data."""
        inside = self.learner.endpoints(self.learner.example_spec())
        adapts = any(endpoint.name == "adapt" for endpoint in inside)
        found = super().endpoints(examples)
        if adapts:
            found += adaptation_endpoints(self, examples)
        rows = tf.stack([self.feature_mean, self.feature_mean + self.feature_scale])
        rows = tf.cast(rows, examples.dtype)
        labels = tf.stack([self.target_mean, self.target_mean + self.target_scale])
        parts = {"support_labels": labels}
        parts |= dict.fromkeys(("support", "query", "unlabelled"), rows)
        return [dataclasses.replace(endpoint, trial=parts) for endpoint in found]

    def fit(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Refused: the learner inside is trained, on standardized tasks.

        Raises:
            ValueError: Always; says what to write.
        """
        raise ValueError(
            "`fit` must be that of the learner inside: write learner.learner.fit("
            "tfmeta.episodes.TaskEpisodes(table.standardized(by)).as_dataset(), ...). "
            "Received: StandardizedLearner.fit"
        )

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        learner = keras.saving.serialize_keras_object(self.learner)
        numbers = {name: getattr(self, name).tolist() for name in _NAMES}
        return {**super().get_config(), "learner": learner, **numbers}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The learner of a `get_config`."""
        config = copy.deepcopy(config)
        config["learner"] = keras.saving.deserialize_keras_object(
            config["learner"], custom_objects=custom_objects
        )
        return cls(**config)

    def _rows(self, examples: tf.Tensor) -> tf.Tensor:
        wide = tf.cast(examples, tf.float64)
        scaled = (wide - self.feature_mean) / self.feature_scale
        return tf.cast(scaled, self.learner.example_spec().dtype)

    def _rows_by_name(self, parts: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The same parts, those that are rows scaled."""
        rows = ("support", "query", "unlabelled")
        return {n: self._rows(p) if n in rows else p for n, p in parts.items()}

    def _scaled(self, targets: tf.Tensor) -> tf.Tensor:
        wide = tf.cast(targets, tf.float64)
        scaled = (wide - self.target_mean) / self.target_scale
        return tf.cast(scaled, self.learner.target_dtype)

    def _in_units(self, predictions: tf.Tensor) -> tf.Tensor:
        wide = tf.cast(predictions, tf.float64)
        return self.target_mean + self.target_scale * wide


def _checked(name: str, values: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """The numbers as float64, one for each column."""
    numbers = np.asarray(values, np.float64)
    check_finite(name, numbers)
    if len(shape) != 1 or numbers.ndim != 1 or shape[0] not in (None, len(numbers)):
        raise ValueError(
            f"`{name}` must be one number for each column of rows of shape {shape}. "
            f"Received: shape {numbers.shape}"
        )
    if name.endswith("scale") and not (numbers > 0).all():
        raise ValueError(
            f"`{name}` must be above 0. Received: {name}={numbers.tolist()}"
        )
    return numbers
