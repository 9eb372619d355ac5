"""MAML++."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.layers import BatchNormalization
from tfmeta.learners.inner_rules import InnerRule, PerStepRates
from tfmeta.learners.optimization_based.arguments import check_integer
from tfmeta.learners.optimization_based.maml import MAML
from tfmeta.learners.optimization_based.phases import Phase
from tfmeta.learners.optimization_based.task_network import (
    TaskNetwork,
    frozen_and_moving,
)


@keras.saving.register_keras_serializable(package="tfmeta")
class MAMLPlusPlus(MAML):
    """MAML with the remedies that make its training stable.

    Antoniou, Edwards and Storkey (2019), *How to Train Your MAML*. Each remedy is an
    argument of its own; all off, this is MAML:

    - *Rates per layer and step*, learned by the outer loop.
    - *Multi-step loss*: the query loss after every inner step counts, at first all
      alike, the last one alone in the end.
    - *Batch normalization per step*: scale and offset of every inner step are
      learned by themselves and not adapted, and so are, for
      `batch_normalization="running"`, the moving averages.
    - *Derivative-order annealing*: first order at first, then second.
    - *Cosine rate of the outer loop*: compile with
      `keras.optimizers.schedules.CosineDecay`, as `tfmeta train` does.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        ways: Classes of every task, or outputs of a regression; `None` with
            `head="prototypes"`.
        per_step_rates: Whether rates are learned per layer and step; otherwise all
            are `inner_learning_rate`.
        multi_step_loss_steps: Steps of the outer loop in which the losses after
            earlier inner steps count; their weights fall linearly. 0 for none.
        per_step_batch_normalization: Whether every inner step has a batch
            normalization of its own.
        first_order_steps: Steps of the outer loop at the start that take first
            order; 0 for none.
        inner_learning_rate: Where the rates start.
        inner_steps: Steps of the inner loop in training.
        **kwargs: As for `MAML`.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When an argument is not accepted; names it.

    Example:

    ```python
    learner = tfmeta.learners.MAMLPlusPlus(
        tfmeta.encoders.Conv4(), ways=5, multi_step_loss_steps=2000
    )
    rate = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=10_000)
    learner.compile(keras.optimizers.Adam(rate))
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        ways: int | None = None,
        *,
        per_step_rates: bool = True,
        multi_step_loss_steps: int = 1000,
        per_step_batch_normalization: bool = True,
        first_order_steps: int = 0,
        inner_learning_rate: float = 0.1,
        inner_steps: int = 5,
        **kwargs: Any,
    ) -> None:
        check_integer("multi_step_loss_steps", multi_step_loss_steps, 0)
        check_integer("first_order_steps", first_order_steps, 0)
        self.per_step_rates = per_step_rates
        self.multi_step_loss_steps = multi_step_loss_steps
        self.per_step_batch_normalization = per_step_batch_normalization
        self.first_order_steps = first_order_steps
        super().__init__(
            encoder,
            ways,
            inner_learning_rate=inner_learning_rate,
            inner_steps=inner_steps,
            **kwargs,
        )

    def make_inner_rule(self, shapes: list[tuple[int, ...]]) -> InnerRule:
        """Gradient descent with learned rates, unless they are to be fixed."""
        if not self.per_step_rates:
            return super().make_inner_rule(shapes)
        return PerStepRates(
            len(shapes),
            self.inner_steps,
            self.inner_learning_rate,
            dtype=self.encoder.variable_dtype,
            name="inner_rates",
        )

    def make_network(self) -> TaskNetwork:
        """Encoder and head; scales and offsets have a row for every step."""
        if not self.per_step_batch_normalization:
            return super().make_network()
        own = _batch_normalization_variables(self.encoder)
        offsets = [
            self._rows_for(variable, "zeros", trainable=True)
            if id(variable) in own
            else None
            for variable in self.encoder.trainable_variables
        ]
        moving: list[keras.Variable | None] = []
        if self.batch_normalization == "running":
            moving = [
                self._rows_for(variable, variable, trainable=False)
                if id(variable) in own
                else None
                for variable in frozen_and_moving(self.encoder)[1]
            ]
        return TaskNetwork(
            self.encoder,
            self.head_layer,
            adapts_encoder=self.adapts_encoder,
            offsets=offsets,
            moving=moving,
        )

    def phases(self) -> list[Phase]:
        """First order or not, all losses or the last alone, as steps go by."""
        edges = {0, self.multi_step_loss_steps}
        if not self.first_order:
            edges.add(self.first_order_steps)
        return [
            Phase(
                start,
                first_order=self.first_order or start < self.first_order_steps,
                loss_weights=self.query_loss_weights
                if start < self.multi_step_loss_steps
                else None,
            )
            for start in sorted(edges)
        ]

    def query_loss_weights(self) -> tf.Tensor:
        """Weights `(inner_steps,)` of the losses: from all alike to the last alone.

        As in the authors' code no earlier loss falls below 3 % of its first weight
        while they count at all.
        """
        first = 1.0 / self.inner_steps
        step = tf.cast(self.optimizer.iterations, tf.float32)
        done = step / float(max(self.multi_step_loss_steps, 1))
        earlier = tf.maximum(first * (1.0 - done), 0.03 * first)
        count = self.inner_steps - 1
        return tf.concat([tf.fill([count], earlier), [1.0 - count * earlier]], axis=0)

    def _rows_for(
        self, variable: keras.Variable, start: Any, *, trainable: bool
    ) -> keras.Variable:
        rows = self.inner_steps + 1
        if start is not variable:
            initializer: Any = start
        else:

            def initializer(shape: Any, dtype: Any = None) -> tf.Tensor:
                return tf.broadcast_to(tf.convert_to_tensor(variable.value), shape)

        return self.add_weight(
            shape=(rows, *variable.shape),
            initializer=initializer,
            trainable=trainable,
            dtype=variable.dtype,
            name=variable.path.replace("/", "_") + "_per_step",
        )

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "per_step_rates": self.per_step_rates,
            "multi_step_loss_steps": self.multi_step_loss_steps,
            "per_step_batch_normalization": self.per_step_batch_normalization,
            "first_order_steps": self.first_order_steps,
        }


def _batch_normalization_variables(encoder: keras.Model) -> set[int]:
    return {
        id(variable)
        for layer in encoder._flatten_layers(include_self=False)
        if isinstance(layer, BatchNormalization) and layer.trainable
        for variable in layer.variables
    }
