"""RL²: a recurrent network whose memory is what a learner has learned."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfmeta.control.arguments import above_zero, fraction
from tfmeta.control.clipped_surrogate import (
    clipped_surrogate,
    masked_mean,
    standardized,
    trial_advantages,
)
from tfmeta.control.experience import Experience, experience_of
from tfmeta.control.remembering_policy import TEST, TRAIN, RememberingPolicy
from tfmeta.control.task_family import TaskFamily
from tfmeta.episodes.arguments import check_count
from tfmeta.finite import all_finite
from tfmeta.learners.run_checks import evenly_shared


@keras.saving.register_keras_serializable(package="tfmeta")
class RL2(RememberingPolicy):
    """RL²: fast reinforcement learning by slow reinforcement learning.

    Duan, Schulman, Chen, Bartlett, Sutskever and Abbeel (2016), *RL²: Fast
    Reinforcement Learning via Slow Reinforcement Learning*. A trial is several episodes
    of one task; the memory of a recurrent policy (`RecurrentPolicy`) lasts through all
    of them, and the policy is trained on the return of the whole trial, so that it
    learns to find out what the task is. At test no weight changes: `adapt` reads
    episodes into the memory.

    A batch is `({"task_numbers": int64 (tasks,)},)`, as `ControlTasks` gives it; trials
    are run inside `train_step`. An update whose gradient is not finite is refused, and
    those of the same trials behind it: all metrics are then NaN.

    Where the paper has trust regions (TRPO) and a recurrent baseline beside the policy,
    there is the clipped surrogate (PPO, Schulman et al. 2017) with any optimizer of
    Keras, and values from the policy's own hidden state: a trust region needs products
    with the Fisher matrix through the whole trial, ten or more a step, for the same
    bound on how far a step goes. With `updates=1` it is advantage actor-critic.

    Args:
        family: Tasks that are environments.
        episodes: Of a trial.
        units: Of the recurrent policy.
        gamma: Discount of a step; it goes on from one episode of a trial to the next.
        gae_lambda: Of the generalised advantages.
        updates: Steps of the optimizer on the same trials.
        clip: By how much the ratio of probabilities may leave 1.
        entropy_weight: Of the mean entropy, which is added to the objective.
        value_weight: Of the squared error of values, in their unit.
        seed: Seed of the weights and of all that is drawn.

    Raises:
        ValueError: When an argument is out of range; names it.

    Example:

    ```python
    family = tfmeta.control.Bandits(arms=5, horizon=10)
    learner = RL2(family, episodes=1, seed=0)
    learner.compile(keras.optimizers.Adam(1e-3))
    tasks = tfmeta.control.ControlTasks(family, tasks=1024)
    learner.fit(tasks, steps_per_epoch=100)
    ```
    """

    def __init__(
        self,
        family: TaskFamily,
        *,
        episodes: int = 2,
        units: int = 128,
        gamma: float = 0.99,
        gae_lambda: float = 0.9,
        updates: int = 2,
        clip: float = 0.2,
        entropy_weight: float = 0.05,
        value_weight: float = 0.5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.updates = check_count("updates", updates, 1)
        self.gamma = fraction("gamma", gamma)
        self.gae_lambda = fraction("gae_lambda", gae_lambda)
        self.clip = above_zero("clip", clip)
        self.entropy_weight = _weight("entropy_weight", entropy_weight)
        self.value_weight = _weight("value_weight", value_weight)
        steps = float(check_count("episodes", episodes, 1) * family.horizon)
        super().__init__(
            family,
            episodes=episodes,
            units=units,
            # How many steps count: values are numbers of the order of a reward.
            value_scale=min(steps, 1 / max(1 - self.gamma, 1 / steps)),
            seed=seed,
            **kwargs,
        )
        names = ("loss", "return_after", "entropy")
        self.means = [keras.metrics.Mean(name=name) for name in names]

    def train_step(self, data: Any) -> dict[str, Any]:
        """Runs a trial of each task of a batch, and makes `updates` steps on them."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(
            evenly_shared(data, training=True)
        )
        tasks = self.family.tasks(inputs["task_numbers"])
        seed = self.seed_of(TRAIN, self.optimizer.iterations)
        lived = experience_of(self.roll_out(tasks, None, seed))
        variables = self.trainable_variables
        sound = tf.constant(True)
        for _ in range(self.updates):
            with tf.GradientTape() as tape:
                loss, entropy = self.trial_loss(lived)
                scaled = self.optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, variables)
            sound &= all_finite([loss, *gradients])
            self._follow(sound, gradients, variables)
        return self._measured(lived, loss, entropy, sound)

    def test_step(self, data: Any) -> dict[str, Any]:
        """The return of a trial of each task, of a seed of its batch."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(
            evenly_shared(data, training=False)
        )
        numbers = tf.cast(inputs["task_numbers"], tf.int64)
        seed = self.seed_of(TEST, tf.reduce_sum(numbers))
        lived = experience_of(self.roll_out(self.family.tasks(numbers), None, seed))
        loss, entropy = self.trial_loss(lived)
        return self._measured(lived, loss, entropy, all_finite([loss, entropy]))

    def trial_loss(self, lived: Experience) -> tuple[tf.Tensor, tf.Tensor]:
        """What is minimised, recomputed through all that was lived, and the entropy.

        Args:
            lived: Of each task a trial from its beginning to its end.
        """
        memory = self.begin(tf.shape(lived.rewards)[0])
        hiddens, _ = self.policy.read(memory, lived)
        chances = self.policy.distribution(hiddens)
        values = self.policy.values(hiddens)
        rewards = tf.cast(lived.rewards, values.dtype)
        advantages = tf.stop_gradient(
            trial_advantages(
                rewards,
                values,
                lived.mask,
                gamma=self.gamma,
                gae_lambda=self.gae_lambda,
            )
        )
        targets = tf.stop_gradient(advantages + values)
        surrogate = clipped_surrogate(
            self.policy.log_prob(chances, lived.actions),
            lived.log_probabilities,
            standardized(advantages, lived.mask),
            lived.mask,
            self.clip,
        )
        errors = tf.square((values - targets) / self.value_scale)
        entropy = masked_mean(chances.entropy(), lived.mask)
        loss = surrogate + self.value_weight * masked_mean(errors, lived.mask)
        return loss - self.entropy_weight * entropy, entropy

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

        Args:
            optimizer: As for Keras.
            loss: `None`: what is minimised needs more than logits, see `trial_loss`.
            metrics: `None`: returns are measured.
            weighted_metrics: Likewise.
            **kwargs: As for Keras.

        Raises:
            ValueError: When there is a loss or a metric.
        """
        given = {"loss": loss, "metrics": metrics, "weighted_metrics": weighted_metrics}
        for name, value in given.items():
            if value is not None:
                raise ValueError(
                    f"`{name}` must be None: RL2 minimises its own, and measures "
                    f"returns. Received: {name}={value!r}"
                )
        keras.Model.compile(self, optimizer=optimizer, loss=None, **kwargs)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of `train_step`; there are no labels that others could be of."""
        return list(self.means)

    def _follow(self, sound: tf.Tensor, gradients: Any, variables: Any) -> None:
        """A step of the optimizer, where it is sound."""

        def follow() -> tf.Tensor:
            self.optimizer.apply(gradients, variables)
            return tf.constant(0)

        self.optimizer.build(variables)
        tf.cond(sound, follow, lambda: tf.constant(0))

    def _measured(
        self,
        lived: Experience,
        loss: tf.Tensor,
        entropy: tf.Tensor,
        sound: tf.Tensor,
    ) -> dict[str, Any]:
        """The means since the epoch began, NaN where a step was refused."""
        total = tf.reduce_mean(tf.reduce_sum(lived.rewards, axis=1))
        for metric, value in zip(self.means, (loss, total, entropy), strict=True):
            nan = tf.constant(float("nan"), value.dtype)
            metric.update_state(tf.where(sound, value, nan))
        return {metric.name: metric.result() for metric in self.means}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        names = (
            "gamma",
            "gae_lambda",
            "updates",
            "clip",
            "entropy_weight",
            "value_weight",
        )
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own}


def _weight(name: str, value: float) -> float:
    """Returns `value` as a float when it is at least 0 and finite."""
    if not 0 <= value < float("inf"):
        raise ValueError(
            f"`{name}` must be at least 0 and finite. Received: {name}={value!r}"
        )
    return float(value)
