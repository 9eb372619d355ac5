"""RL²: a recurrent network whose memory is what a learner has learned."""

from __future__ import annotations

from collections.abc import Mapping
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
from tfmeta.control.recurrent_policy import Memory, RecurrentPolicy
from tfmeta.control.task_family import TaskFamily, TaskParameters
from tfmeta.control.trajectories import Trajectories
from tfmeta.control.trials import run_trial
from tfmeta.episodes.arguments import check_count
from tfmeta.finite import all_finite
from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.run_checks import evenly_shared
from tfmeta.signatures.example_spec import ExampleSpec

# Streams of a training step's seed, and of a test's.
_TRAIN, _TEST = 0, 1


@keras.saving.register_keras_serializable(package="tfmeta")
class RL2(FewShotLearner):
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

    task = "control"
    encoder_arguments = ()
    labelled_support = False

    def __init__(
        self,
        family: TaskFamily,
        *,
        episodes: int = 2,
        units: int = 128,
        gamma: float = 0.99,
        gae_lambda: float = 0.3,
        updates: int = 4,
        clip: float = 0.2,
        entropy_weight: float = 0.01,
        value_weight: float = 0.5,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.episodes = check_count("episodes", episodes, 1)
        self.units = check_count("units", units, 1)
        self.updates = check_count("updates", updates, 1)
        self.gamma = fraction("gamma", gamma)
        self.gae_lambda = fraction("gae_lambda", gae_lambda)
        self.clip = above_zero("clip", clip)
        self.entropy_weight = _weight("entropy_weight", entropy_weight)
        self.value_weight = _weight("value_weight", value_weight)
        super().__init__(None, **kwargs)
        self.family = family
        self.fixed_ways = family.actions.size
        self.seed = seed
        steps = float(self.episodes * family.horizon)
        # How many steps count, so that values are numbers of the order of a reward.
        self.value_scale = min(steps, 1 / max(1 - self.gamma, 1 / steps))
        self.policy = RecurrentPolicy(
            family.observation_size,
            family.actions,
            self.units,
            value_scale=self.value_scale,
            seed=seed,
            dtype=self.variable_dtype,
        )
        self.supports_jit = getattr(family, "supports_jit", True)
        names = ("loss", "return", "entropy")
        self.means = [keras.metrics.Mean(name=name) for name in names]

    def begin(self, tasks: Any = 1) -> Memory:
        """The state of tasks of which nothing is known, an int or an int32 scalar."""
        return self.policy.begin(tasks)

    def adapt(
        self,
        support: Trajectories,
        support_labels: None = None,
        *,
        support_mask: tf.Tensor | None = None,
        state: Memory | None = None,
        training: bool = False,
    ) -> Memory:
        """Reads episodes, one after the other, from `state` on where there is one.

        Args:
            support: Of each task whole episodes, in the order in which they were lived.
            support_labels: `None`.
            support_mask: `None`: the trajectories have their own.
            state: What `adapt`, `begin` or `observe` returned.
            training: As for Keras; without effect.
        """
        memory = self.begin(tf.shape(support.rewards)[0]) if state is None else state
        self.check_state(memory)
        return self.policy.read(memory, experience_of(support))[1]

    def observe(
        self,
        state: Memory,
        observations: tf.Tensor,
        actions: tf.Tensor,
        rewards: tf.Tensor,
        ended: tf.Tensor,
    ) -> Memory:
        """Reads one step of each task, for those who act.

        Args:
            state: As for `adapt`.
            observations: Float `(tasks, observation_size)`, of before the step.
            actions: What was done, `(tasks, *action)`.
            rewards: Float `(tasks,)`.
            ended: Bool `(tasks,)`: whether the episode is over.
        """
        self.check_state(state)
        hidden = self.policy.see(state, observations)
        mask = tf.ones_like(ended, tf.bool)
        return self.policy.remember(state, hidden, actions, rewards, ended, mask)

    def predict_query(
        self,
        state: Memory,
        query: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """What it would do, each observation as the next after what was read.

        Args:
            state: As for `adapt`.
            query: Float `(tasks, queries, observation_size)`.
            query_mask: Without effect: no query has a part in another.
            training: As for Keras; without effect.

        Returns:
            Logits `(tasks, queries, actions)`, or means and logarithms of standard
            deviations; see `tfmeta.control.distributions`.
        """
        self.check_state(state)
        queries = tf.shape(query)[1]
        each = {name: tf.repeat(part, queries, axis=0) for name, part in state.items()}
        rows = tf.reshape(query, [-1, self.family.observation_size])
        outputs = self.policy.outputs(self.policy.see(each, rows))
        return tf.reshape(outputs, [tf.shape(query)[0], queries, outputs.shape[-1]])

    def run_trial(
        self,
        tasks: TaskParameters,
        state: Memory | None,
        seed: tf.Tensor,
        *,
        trajectories: int | None = None,
    ) -> tuple[Trajectories, Memory]:
        """Acts in episodes of every task, one after the other, and remembers.

        Args:
            tasks: Of `family.tasks`.
            state: As for `adapt`; `None` where nothing is known.
            seed: Int32 `(2,)`, of `tf.random.stateless_*`.
            trajectories: Episodes, by default those of a trial.

        Returns:
            What happened, in the order in which it did, and what is remembered then.
        """
        if state is None:
            some = next(iter(tasks.values()))
            known = some.shape[0]
            state = self.begin(tf.shape(some)[0] if known is None else known)
        count = trajectories or self.episodes
        return run_trial(self.family, tasks, self.policy, state, count, seed)

    def roll_out(
        self,
        tasks: TaskParameters,
        state: Memory | None,
        seed: tf.Tensor,
        *,
        trajectories: int | None = None,
    ) -> Trajectories:
        """What happened in `run_trial`."""
        return self.run_trial(tasks, state, seed, trajectories=trajectories)[0]

    def episode_logits(
        self, inputs: Mapping[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Distributions at `inputs["query"]`, after a trial."""
        numbers = tf.cast(inputs["task_numbers"], tf.int64)
        tasks, seed = self.family.tasks(numbers), self._seed(_TEST, numbers[:1])
        state = self.run_trial(tasks, None, seed)[1]
        return self.predict_query(state, inputs["query"])

    def train_step(self, data: Any) -> dict[str, Any]:
        """Runs a trial of each task of a batch, and makes `updates` steps on them."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(
            evenly_shared(data, training=True)
        )
        tasks = self.family.tasks(inputs["task_numbers"])
        seed = self._seed(_TRAIN, self.optimizer.iterations)
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
        seed = self._seed(_TEST, tf.reduce_sum(numbers))
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

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configures training, as `keras.Model.compile` does.

        Args:
            optimizer: As for Keras.
            **kwargs: As for Keras, without a loss and metrics: what is minimised needs
                more than logits, see `trial_loss`, and returns are measured.

        Raises:
            ValueError: When there is a loss or a metric.
        """
        for name in ("loss", "metrics", "weighted_metrics", "loss_weights"):
            if kwargs.pop(name, None) is not None:
                raise ValueError(
                    f"`{name}` must be None: RL2 minimises its own, and measures "
                    f"returns. Received: another `{name}`"
                )
        keras.Model.compile(self, optimizer=optimizer, loss=None, **kwargs)

    def state_spec(self, ways: int | None) -> dict[str, tf.TensorSpec]:
        """The memory of one task."""
        with tf.Graph().as_default():
            parts = self.begin(1)
        return {
            name: tf.TensorSpec(part.shape[1:], part.dtype)
            for name, part in parts.items()
        }

    def example_spec(self, input_dtype: str | None = None) -> ExampleSpec:
        """An observation."""
        dtype = tf.as_dtype(input_dtype or "float32")
        return ExampleSpec((self.family.observation_size,), dtype, float_too=False)

    def check_state(self, state: Any) -> None:
        """Refuses a state that is not of this learner."""
        wanted = {"hidden", "action", "reward", "ended"}
        if not isinstance(state, dict) or set(state) != wanted:
            received = ", ".join(state) if isinstance(state, dict) else type(state)
            raise ValueError(
                "`state` must be what `adapt`, `begin` or `observe` returned, with the "
                f"parts {', '.join(sorted(wanted))}. Received: {received}"
            )

    def check_inputs(self, inputs: Any) -> None:
        """Refuses what does not hold numbers of tasks."""
        if not isinstance(inputs, Mapping) or "task_numbers" not in inputs:
            received = ", ".join(inputs) if isinstance(inputs, Mapping) else None
            raise ValueError(
                '`inputs` must be a dict of "task_numbers", as ControlTasks gives it. '
                f"Received: {received or f'a {type(inputs).__name__}'}"
            )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of `train_step`; there are no labels that others could be of."""
        return list(self.means)

    def _seed(self, stream: int, number: Any) -> tf.Tensor:
        """Of a step by its number; both halves of it count."""
        root = tf.constant([(self.seed or 0) % 2**31, stream], tf.int32)
        number = tf.reshape(tf.cast(number, tf.int64), [])
        low, high = tf.unstack(tf.bitcast(number, tf.int32))
        root = tf.random.fold_in(root, low, alg="philox")
        return tf.random.fold_in(root, high, alg="philox")

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
        names = ("episodes", "units", "gamma", "gae_lambda", "updates", "clip")
        names += ("entropy_weight", "value_weight", "seed")
        family = keras.saving.serialize_keras_object(self.family)
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "family": family}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The learner of a `get_config`."""
        family = keras.saving.deserialize_keras_object(
            config["family"], custom_objects=custom_objects
        )
        return super().from_config({**config, "family": family}, custom_objects)


def _weight(name: str, value: float) -> float:
    """Returns `value` as a float when it is at least 0 and finite."""
    if not 0 <= value < float("inf"):
        raise ValueError(
            f"`{name}` must be at least 0 and finite. Received: {name}={value!r}"
        )
    return float(value)
