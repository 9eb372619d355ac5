"""Reptile."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import keras
import tensorflow as tf

from tfmeta.learners.inner_rules import CarriedAdam, Parameters
from tfmeta.learners.optimization_based.arguments import check_integer
from tfmeta.learners.optimization_based.maml import MAML
from tfmeta.learners.optimization_based.meta_gradient import MetaGradient
from tfmeta.learners.optimization_based.phases import Phase
from tfmeta.learners.optimization_based.support import Choose, Support, whole_support
from tfmeta.learners.optimization_based.task_network import Moving


@keras.saving.register_keras_serializable(package="tfmeta")
class Reptile(MAML):
    """Moves the start towards where each task's training ends.

    Nichol, Achiam and Schulman (2018), *On First-Order Meta-Learning Algorithms*. A
    task is trained for a few steps of Adam without momentum on mini-batches of its
    support; the start then moves by a fraction of the way, `start + meta_step *
    (adapted - start)`, averaged over the tasks of a batch. With one task a step this
    is the serial form, with several the batched one.

    The way back, `start - adapted`, is handed to the optimizer of `compile` as a
    gradient. The paper's rule is therefore plain SGD, whose learning rate is the
    meta-step: it falls from 1 to 0 along a line. That is why the training step does
    not differentiate anything; the loss that is shown is that of the queries, which
    training does not use.

    Regularizers of the encoder, of weights or of activities, are shown in that loss
    and train nothing, since the inner loop lowers the support's cross-entropy alone;
    an encoder that has some is taken with a warning. Layers that are set free after the
    learner was made stay as they are, as no task moves them.

    The second moments of Adam go on from task to task, in training by the mean of a
    batch, and are there at test, as in the authors' code.

    The paper trains with more shots than it tests with, on Omniglot 10, in five
    steps on batches of 10 with a rate of 1e-3, and takes 50 steps at test.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors.
        ways: Classes of every task, or outputs of a regression.
        inner_batch_size: Support examples of an inner step, drawn anew for each
            without replacement; `None` for all.
        inner_learning_rate: Rate of the inner Adam.
        inner_steps: Inner steps in training.
        test_inner_steps: Inner steps otherwise.
        batch_normalization: As for `GradientBasedLearner`; `"support"` by default,
            so that its predictions do not depend on other queries.
        **kwargs: As for `MAML`, without `first_order` and `head`.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When an argument is not accepted; names it.

    Example:

    ```python
    learner = tfmeta.learners.Reptile(tfmeta.encoders.Conv4(), ways=5)
    meta_step = keras.optimizers.schedules.PolynomialDecay(1.0, 10_000, 0.0)
    learner.compile(keras.optimizers.SGD(meta_step))
    episodes = Episodes(table, ways=5, shots=10, queries=5, tasks=5)
    learner.fit(episodes.as_dataset(), steps_per_epoch=100, epochs=100)
    ```
    """

    inner_rule: CarriedAdam

    def __init__(
        self,
        encoder: keras.Model,
        ways: int,
        *,
        inner_batch_size: int | None = 10,
        inner_learning_rate: float = 1e-3,
        inner_steps: int = 5,
        test_inner_steps: int | None = 50,
        batch_normalization: Any = "support",
        **kwargs: Any,
    ) -> None:
        for name, fixed in (("first_order", True), ("head", "linear")):
            if kwargs.pop(name, fixed) != fixed:
                raise ValueError(
                    f"`{name}` must be {fixed!r} or left out for Reptile, which "
                    "moves a head of its own towards adapted ones and differentiates "
                    "none. Received another"
                )
        if inner_batch_size is not None:
            check_integer("inner_batch_size", inner_batch_size, 1)
        self.inner_batch_size = inner_batch_size
        super().__init__(
            encoder,
            ways,
            inner_learning_rate=inner_learning_rate,
            inner_steps=inner_steps,
            test_inner_steps=test_inner_steps,
            batch_normalization=batch_normalization,
            first_order=True,
            **kwargs,
        )
        regularized = [
            layer.name
            for layer in self.encoder._flatten_layers(include_self=False)
            if layer.activity_regularizer is not None
            or any(
                getattr(v, "regularizer", None) is not None
                for v in layer._trainable_variables
            )
        ]
        if regularized:
            warnings.warn(
                "Reptile lowers the cross-entropy of the support alone: the "
                f"regularizers of {', '.join(regularized)} are shown in the loss, and "
                "train nothing.",
                stacklevel=2,
            )

    def make_inner_rule(self, shapes: list[tuple[int, ...]]) -> CarriedAdam:
        """Adam without momentum, as the authors' code has it."""
        return CarriedAdam(
            shapes,
            self.inner_learning_rate,
            dtype=self.encoder.variable_dtype,
            name="inner_adam",
        )

    def carried_variables(self) -> list[keras.Variable]:
        """The second moments of the inner loop's Adam."""
        return self.inner_rule.carried_variables()

    def choose_support(self, seed: tf.Tensor | None) -> Choose:
        """Mini-batches of the support, drawn without replacement in each step."""
        size = self.inner_batch_size
        if size is None:
            return whole_support
        start = tf.constant([0, 0]) if seed is None else seed

        def draw(support: Support, step: int | tf.Tensor) -> Support:
            rows = tf.shape(support.examples)[0]
            # Integers, which are the same with and without XLA; fractions are not.
            noise = tf.random.stateless_uniform(
                [rows],
                tf.random.fold_in(start, step, alg="philox"),
                minval=None,
                maxval=None,
                dtype=tf.int32,
                alg="philox",
            )
            if support.mask is not None:
                # Padding comes last, and is still masked where it is drawn.
                noise = tf.where(support.mask, noise, noise.dtype.min)
            chosen = tf.math.top_k(noise, tf.minimum(size, rows)).indices
            mask = support.mask
            return dataclasses.replace(
                support,
                examples=tf.gather(support.examples, chosen),
                labels=tf.gather(support.labels, chosen),
                mask=None if mask is None else tf.gather(mask, chosen),
            )

        return draw

    def make_meta_gradient(self, phase: Phase) -> MetaGradient:
        """The way back from where a task's training ends."""
        return WayBack(self.learning, self.outer_loop(), phase)

    def compile(self, optimizer: Any = None, *args: Any, **kwargs: Any) -> None:
        """As `FewShotLearner.compile`, by default with SGD at a meta-step of 1."""
        if optimizer is None:
            optimizer = keras.optimizers.SGD(1.0)
        super().compile(optimizer, *args, **kwargs)

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        return {**super().get_config(), "inner_batch_size": self.inner_batch_size}


class WayBack(MetaGradient):
    """`start - adapted`, in the place of a gradient."""

    scales_loss = False

    def of_task(
        self, task: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, Parameters, Moving, Parameters]:
        """Loss, outputs, the way back, non-trainable and carried values of a task."""
        network = self.learning.network
        moving = self.moving_of_task(task)
        adapted, state, found = self.learning.learn(
            task, moving, self.loss_of(task), training=True
        )
        ((loss, outputs),) = found
        ways = {
            id(variable): start - end
            for variable, start, end in zip(
                network.adapted_variables(), network.start(), adapted, strict=True
            )
        }
        # Frozen later, or set free: a task changes one, and another is trained.
        back = [
            ways.get(id(v), tf.zeros(v.shape, v.dtype)) for v in self.outer.variables
        ]
        moving = self.moving_of_task(task, after=moving)
        rule = self.learning.settings.rule
        assert isinstance(rule, CarriedAdam)
        carried = rule.carried_values(state)
        return tf.cast(loss, network.dtype), outputs, back, moving, carried
