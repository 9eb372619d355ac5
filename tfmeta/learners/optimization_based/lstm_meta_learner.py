"""The LSTM meta-learner."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.learners.inner_rules import InnerRule, LSTMRule
from tfmeta.learners.optimization_based.arguments import check_integer
from tfmeta.learners.optimization_based.gradient_based_learner import (
    GradientBasedLearner,
)


@keras.saving.register_keras_serializable(package="tfmeta")
class LSTMMetaLearner(GradientBasedLearner):
    """Learns the inner rule itself: an LSTM that turns gradients into updates.

    Ravi and Larochelle (2017), *Optimization as a Model for Few-Shot Learning*. The
    weights of encoder and head are the cell state of an LSTM, whose start is learned
    along with the gates; see `LSTMRule`. Gradients of the support loss count as
    constants, as in the paper.

    The paper's settings for miniImageNet: 32 filters, 12 inner steps (1-shot), Adam
    1e-3 with gradients clipped to a norm of 0.25.

    The paper normalizes the queries of test tasks with averages that were taken while
    the task adapted; `batch_normalization="support"`, the default, takes the
    statistics of the adapted support, in training too.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        ways: Classes of every task, or outputs of a regression.
        units: Width of the LSTM that reads gradients and losses.
        inner_steps: Steps of the inner loop.
        batch_normalization: As for `GradientBasedLearner`.
        **kwargs: As for `GradientBasedLearner`, without `first_order` and `head`.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When an argument is not accepted; names it.

    Example:

    ```python
    encoder = tfmeta.encoders.Conv4((84, 84, 3), filters=32)
    learner = tfmeta.learners.LSTMMetaLearner(encoder, ways=5)
    learner.compile(keras.optimizers.Adam(1e-3, global_clipnorm=0.25))
    ```
    """

    learns_inner_rule = True

    def __init__(
        self,
        encoder: keras.Model,
        ways: int,
        *,
        units: int = 20,
        inner_steps: int = 12,
        batch_normalization: Any = "support",
        **kwargs: Any,
    ) -> None:
        for name, fixed in (("first_order", True), ("head", "linear")):
            if kwargs.pop(name, fixed) != fixed:
                raise ValueError(
                    f"`{name}` must be {fixed!r} or left out for an LSTM "
                    "meta-learner, whose start is learned and whose gradients are "
                    "constants. Received another"
                )
        check_integer("units", units, 1)
        self.units = units
        super().__init__(
            encoder,
            ways,
            inner_steps=inner_steps,
            batch_normalization=batch_normalization,
            first_order=True,
            **kwargs,
        )

    def make_inner_rule(self, shapes: list[tuple[int, ...]]) -> InnerRule:
        """The LSTM."""
        return LSTMRule(
            self.units,
            seed=self.seed,
            dtype=self.encoder.variable_dtype,
            name="inner_rule",
        )

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {**super().get_config(), "units": self.units}
