"""Policies that learn by remembering: verbs of a learner that acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfmeta.control.acting_learner import ActingLearner
from tfmeta.control.distributions import distribution_of_outputs
from tfmeta.control.experience import experience_of
from tfmeta.control.policy_endpoints import remembering_endpoints
from tfmeta.control.recurrent_policy import Memory, RecurrentPolicy
from tfmeta.control.rollouts import returns
from tfmeta.control.task_family import TaskFamily, TaskParameters
from tfmeta.control.trajectories import Trajectories
from tfmeta.control.trials import run_trial
from tfmeta.episodes.arguments import check_count
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec

# Streams of what is drawn.
TRAIN, TEST = 0, 1


class RememberingPolicy(ActingLearner):
    """A recurrent policy whose state is what it remembers; not yet trained.

    It draws its own support: `adapt` reads what it did, and what came of it. How it is
    trained is said by a subclass; a batch is `({"task_numbers": int64 (tasks,)},)`.

    Args:
        family: Tasks that are environments.
        episodes: Of a trial.
        units: Of the recurrent policy.
        value_scale: Unit of what is still to be had.
        seed: Seed of the weights and of all that is drawn, `None` for other weights at
            every call.

    Raises:
        ValueError: When an argument is out of range; names it.
    """

    def __init__(
        self,
        family: TaskFamily,
        *,
        episodes: int,
        units: int,
        value_scale: float,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(None, **kwargs)
        self.family = family
        self.fixed_ways = family.actions.size
        self.episodes = check_count("episodes", episodes, 1)
        self.units = check_count("units", units, 1)
        self.seed = seed if seed is None else check_count("seed", seed, 0)
        self.value_scale = value_scale
        self.policy = RecurrentPolicy(
            family.observation_size,
            family.actions,
            self.units,
            value_scale=value_scale,
            seed=self.seed,
            dtype=self.variable_dtype,
        )
        # One that calls Python is none for XLA.
        self.supports_jit = getattr(family, "supports_jit", True)

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

    def act(self, state: Memory, observations: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Actions `(tasks, queries, *action)`, drawn of `predict_query`.

        Args:
            state: As for `adapt`.
            observations: Float `(tasks, queries, observation_size)`.
            seed: Int32 `(2,)`, of `tf.random.stateless_*`.
        """
        outputs = self.predict_query(state, observations)
        drawn = distribution_of_outputs(self.family.actions, outputs).sample(seed)
        return tf.cast(drawn, self.family.actions.dtype)

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

    def returns_by_update(
        self,
        tasks: TaskParameters,
        seed: tf.Tensor,
        *,
        updates: int,
        trajectories: int,
        learning_rates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Mean returns of the episodes of trials, `(updates + 1, tasks)`.

        Args:
            tasks: Of `family.tasks`.
            seed: Int32 `(2,)`, of `tf.random.stateless_*`.
            updates: Episodes before the last one.
            trajectories: Trials of each task, each with a memory of its own.
            learning_rates: `None`: nothing takes a step.

        Raises:
            ValueError: When there are rates.
        """
        if learning_rates is not None:
            raise ValueError(
                "`learning_rates` must be None for a policy that remembers. Received: "
                "some"
            )
        each = {name: tf.repeat(p, trajectories, axis=0) for name, p in tasks.items()}
        drawn = self.roll_out(each, None, seed, trajectories=updates + 1)
        found = tf.reshape(returns(drawn), [-1, trajectories, updates + 1])
        return tf.transpose(tf.reduce_mean(found, axis=1))

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """`begin`, `act` and `observe`, see `remembering_endpoints`."""
        return remembering_endpoints(self)

    def episode_logits(
        self, inputs: Mapping[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Distributions at `inputs["query"]`, after a trial."""
        numbers = tf.cast(inputs["task_numbers"], tf.int64)
        tasks, seed = self.family.tasks(numbers), self.seed_of(TEST, numbers[:1])
        state = self.run_trial(tasks, None, seed)[1]
        return self.predict_query(state, inputs["query"])

    def state_spec(self, ways: int | None = None) -> dict[str, tf.TensorSpec]:
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

    def seed_of(self, stream: int, number: Any) -> tf.Tensor:
        """Of a step by its number; both halves of it count."""
        root = tf.constant([(self.seed or 0) % 2**31, stream], tf.int32)
        number = tf.reshape(tf.cast(number, tf.int64), [])
        low, high = tf.unstack(tf.bitcast(number, tf.int32))
        root = tf.random.fold_in(root, low, alg="philox")
        return tf.random.fold_in(root, high, alg="philox")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized; a subclass adds its own."""
        family = keras.saving.serialize_keras_object(self.family)
        own = {name: getattr(self, name) for name in ("episodes", "units", "seed")}
        return {**super().get_config(), **own, "family": family}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The learner of a `get_config`."""
        family = keras.saving.deserialize_keras_object(
            config["family"], custom_objects=custom_objects
        )
        return cls(**{**config, "family": family})
