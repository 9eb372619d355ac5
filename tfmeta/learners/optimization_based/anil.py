"""Almost No Inner Loop."""

from __future__ import annotations

import keras

from tfmeta.learners.optimization_based.maml import MAML


@keras.saving.register_keras_serializable(package="tfmeta")
class ANIL(MAML):
    """MAML whose inner loop adapts the head alone.

    Raghu, Raghu, Bengio and Vinyals (2020), *Rapid Learning or Feature Reuse?
    Towards Understanding the Effectiveness of MAML*. The encoder is trained by the
    outer loop and stays as it is in every task, so that each example is encoded
    once, whatever the number of inner steps.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors. Only first derivatives of it are needed.
        ways: Classes of every task, or outputs of a regression; `None` with
            `head="prototypes"`.
        **kwargs: As for `MAML`.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When an argument is not accepted; names it.

    Example:

    ```python
    learner = tfmeta.learners.ANIL(
        tfmeta.encoders.Conv4(), ways=5, inner_steps=5, inner_learning_rate=0.1
    )
    learner.compile(keras.optimizers.Adam(1e-3))
    ```
    """

    adapts_encoder = False
