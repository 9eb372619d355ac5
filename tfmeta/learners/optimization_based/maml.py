"""Model-Agnostic Meta-Learning."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.learners.inner_rules import InnerRule, Scale
from tfmeta.learners.optimization_based.arguments import check_rate
from tfmeta.learners.optimization_based.gradient_based_learner import (
    GradientBasedLearner,
)


@keras.saving.register_keras_serializable(package="tfmeta")
class MAML(GradientBasedLearner):
    """Trains a start from which a few gradient steps learn a new task.

    Finn, Abbeel and Levine (2017), *Model-Agnostic Meta-Learning for Fast Adaptation
    of Deep Networks*. The outer gradient goes through the inner gradients, exactly,
    or with `first_order=True` takes them as constants (the paper's section 5.2).

    The paper's settings for Omniglot: 5-way, one step of 0.4 in training and three
    at test, 32 tasks a step; 20-way, five steps of 0.1, 16 tasks. miniImageNet: 32
    filters, five steps of 0.01 and ten at test, four tasks (1-shot) or two (5-shot).

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        ways: Classes of every task, or outputs of a regression; `None` with
            `head="prototypes"`.
        inner_learning_rate: Rate of the inner gradient steps.
        **kwargs: As for `GradientBasedLearner`: `task`, `head`, `inner_steps`,
            `test_inner_steps`, `first_order`, `batch_normalization`, `seed`.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When an argument is not accepted; names it.

    Example:

    ```python
    learner = tfmeta.learners.MAML(tfmeta.encoders.Conv4(), ways=5)
    learner.compile(keras.optimizers.Adam(1e-3))
    learner.fit(
        Episodes(table, ways=5, tasks=32).as_dataset(), steps_per_epoch=100, epochs=10
    )
    state = learner.adapt(support, support_labels)
    logits = learner.predict_query(state, query)
    ```
    """

    def __init__(
        self,
        encoder: keras.Model,
        ways: int | None = None,
        *,
        inner_learning_rate: float = 0.4,
        **kwargs: Any,
    ) -> None:
        check_rate("inner_learning_rate", inner_learning_rate)
        self.inner_learning_rate = inner_learning_rate
        super().__init__(encoder, ways, **kwargs)

    def make_inner_rule(self, shapes: list[tuple[int, ...]]) -> InnerRule:
        """Gradient descent at one rate."""
        return Scale(-self.inner_learning_rate)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {
            **super().get_config(),
            "inner_learning_rate": self.inner_learning_rate,
        }
