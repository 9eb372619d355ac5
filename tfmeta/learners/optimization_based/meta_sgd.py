"""Meta-SGD."""

from __future__ import annotations

import keras

from tfmeta.learners.inner_rules import (
    InnerRule,
    PerParameterRates,
)
from tfmeta.learners.optimization_based.maml import MAML


@keras.saving.register_keras_serializable(package="tfmeta")
class MetaSGD(MAML):
    """MAML that also learns a rate, with its sign, for every single weight.

    Li, Zhou, Chen and Li (2017), *Meta-SGD: Learning to Learn Quickly for Few-Shot
    Learning*. One inner step, `weights - rates * gradients`; the rates are trained by
    the outer loop together with the start. With `head="prototypes"` the classes of a
    task share the rates of the head.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        ways: Classes of every task, or outputs of a regression; `None` with
            `head="prototypes"`.
        **kwargs: As for `MAML`; `inner_learning_rate` is where the rates start.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When an argument is not accepted; names it.

    Example:

    ```python
    learner = tfmeta.learners.MetaSGD(
        tfmeta.encoders.Conv4(), ways=5, inner_learning_rate=0.1
    )
    learner.compile(keras.optimizers.Adam(1e-3))
    ```
    """

    def make_inner_rule(self, shapes: list[tuple[int, ...]]) -> InnerRule:
        """Gradient descent with a learned rate for every weight."""
        return PerParameterRates(
            shapes,
            self.inner_learning_rate,
            dtype=self.encoder.variable_dtype,
            name="inner_rates",
        )
