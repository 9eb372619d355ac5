"""Policies that are adapted by the policy gradient: verbs of a learner that acts."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.control.acting_learner import ActingLearner
from tfmeta.control.adaptation import BASELINES, Baseline, Judgement, updated
from tfmeta.control.arguments import above_zero, fraction, one_of
from tfmeta.control.distributions import distribution_of_outputs
from tfmeta.control.policies import ACTIVATIONS, Activation, Policy
from tfmeta.control.policy_endpoints import policy_endpoints
from tfmeta.control.rollouts import returns, roll_out
from tfmeta.control.task_family import TaskFamily, TaskParameters
from tfmeta.control.trajectories import Trajectories
from tfmeta.episodes.arguments import check_count
from tfmeta.learners.each_query import State
from tfmeta.learners.inner_rules import Scale
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec


class AdaptedPolicy(ActingLearner):
    """A policy whose weights every task moves by the policy gradient; not yet trained.

    It draws its own support: what it adapts to are trajectories, which do not exist
    before the policy that draws them. How meta-parameters are trained is said by a
    subclass; a batch is `({"task_numbers": int64 (tasks,)},)`.

    Args:
        family: The tasks.
        hidden_units: Of the policy's hidden layers.
        activation: Of these, `"relu"` or `"tanh"`.
        trajectories: Of each task, for each update.
        inner_learning_rate: Of the update. Where actions have bounds, a policy's unit
            is half of what lies between them.
        gamma: Discount.
        gae_lambda: Of generalised advantage estimation.
        baseline: `"linear"`, fitted in each task, or `"none"`.
        normalize_advantages: Whether they are of mean 0 and deviation 1 in each task.
        initial_deviation: Standard deviation of real actions at the beginning.
        least_deviation: Its floor.
        seed: Of the weights, and of what is drawn in training and evaluation.
        **kwargs: As for `keras.Model`.

    Raises:
        ValueError: When an argument is out of range; names it.
    """

    def __init__(
        self,
        family: TaskFamily,
        *,
        hidden_units: Sequence[int] = (100, 100),
        activation: Activation = "relu",
        trajectories: int = 20,
        inner_learning_rate: float = 0.1,
        gamma: float = 0.99,
        gae_lambda: float = 1.0,
        baseline: Baseline = "linear",
        normalize_advantages: bool = True,
        initial_deviation: float = 1.0,
        least_deviation: float = 1e-3,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(None, **kwargs)
        self.family = family
        self.hidden_units = tuple(
            check_count("hidden_units", units, 1) for units in hidden_units
        )
        self.activation = one_of("activation", activation, ACTIVATIONS)
        self.trajectories = check_count("trajectories", trajectories, 1)
        self.inner_learning_rate = above_zero(
            "inner_learning_rate", inner_learning_rate
        )
        self.gamma = fraction("gamma", gamma)
        self.gae_lambda = fraction("gae_lambda", gae_lambda)
        self.baseline = one_of("baseline", baseline, BASELINES)
        self.normalize_advantages = bool(normalize_advantages)
        self.initial_deviation = above_zero("initial_deviation", initial_deviation)
        self.least_deviation = above_zero("least_deviation", least_deviation)
        self.seed = check_count("seed", seed, 0)
        self.policy = Policy(
            family.observation_size,
            family.actions,
            self.hidden_units,
            self.activation,
            self.initial_deviation,
            self.least_deviation,
        )
        initializers = self.policy.initializers(self.seed)
        self.start = [
            self.add_weight(shape=shape, initializer=initializers[name], name=name)
            for name, shape in self.policy.shapes.items()
        ]

    @property
    def judgement(self) -> Judgement:
        """How advantages are found."""
        return Judgement(
            self.gamma, self.gae_lambda, self.baseline, self.normalize_advantages
        )

    def adapt(
        self,
        support: Any,
        support_labels: Any,
        *,
        support_mask: Any = None,
        state: State | None = None,
        learning_rate: float | tf.Tensor | None = None,
        training: bool = False,
    ) -> State:
        """One update of each task's policy on trajectories that it drew.

        Args:
            support: `Trajectories` of all tasks.
            support_labels: `None`.
            support_mask: `None`: trajectories have masks of their own.
            state: Of the policies that drew them; `None` for the meta-parameters.
            learning_rate: By default `inner_learning_rate`.
            training: Nothing depends on it.

        Returns:
            Weights by name, each `(tasks, *shape)`.
        """
        if state is None:
            state = self.initial_state(tf.shape(support.mask)[0])
        rate = self.inner_learning_rate if learning_rate is None else learning_rate
        moved = updated(
            self.policy,
            Scale(-rate),
            self.policy.as_list(state),
            self.judgement(support),
        )
        return self.policy.as_dict(moved)

    def initial_state(self, tasks: int | tf.Tensor) -> State:
        """The meta-parameters for each of so many tasks."""
        return {
            name: tf.broadcast_to(variable.value, [tasks, *variable.shape])
            for name, variable in zip(self.policy.shapes, self.start, strict=True)
        }

    def predict_query(
        self,
        state: State,
        query: tf.Tensor,
        *,
        query_mask: Any = None,
        training: bool = False,
    ) -> tf.Tensor:
        """What stands for distributions over actions, see the class.

        Args:
            state: What `adapt` returned, or `initial_state`.
            query: Observations `(tasks, ..., observation_size)`.
            query_mask: Nothing depends on it: rows have no part in each other.
            training: Nothing depends on it.
        """
        return self.policy(state, tf.convert_to_tensor(query))

    def act(self, state: State, observations: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Actions of every task's policy, `(tasks, ..., *action)`.

        Args:
            state: As of `predict_query`.
            observations: Likewise.
            seed: Int32 `(2,)`, of `tf.random.stateless_*`.
        """
        outputs = self.predict_query(state, observations)
        drawn = distribution_of_outputs(self.family.actions, outputs).sample(seed)
        return tf.cast(drawn, self.family.actions.dtype)

    def roll_out(
        self,
        tasks: TaskParameters,
        state: State | None,
        seed: tf.Tensor,
        *,
        trajectories: int | None = None,
    ) -> Trajectories:
        """Trajectories of every task's policy.

        Args:
            tasks: Of `family.tasks`.
            state: As of `predict_query`; `None` for the meta-parameters.
            seed: As of `act`.
            trajectories: Of each task, by default `self.trajectories`.
        """
        # Environments of others are acted in one after the other, and a graph knows no
        # order but this: weights that were adapted come of what was acted before.
        with tf.control_dependencies([] if state is None else list(state.values())):
            seed = tf.identity(seed)
        # One policy for all is one product for all.
        weights = (
            self.policy.as_dict([v.value for v in self.start])
            if state is None
            else state
        )
        return roll_out(
            self.family,
            tasks,
            functools.partial(self.policy.distribution, weights),
            trajectories=trajectories or self.trajectories,
            seed=seed,
            dtype=tf.as_dtype(self.variable_dtype),
        )

    def returns_by_update(
        self,
        tasks: TaskParameters,
        seed: tf.Tensor,
        *,
        updates: int,
        trajectories: int,
        learning_rates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Mean returns before and after updates, `(updates + 1, tasks)`.

        Args:
            tasks: Of `family.tasks`.
            seed: As of `act`.
            updates: How many.
            trajectories: Of each task, for each update and each figure.
            learning_rates: Of each update. By default `inner_learning_rate` for the
                first, and half of it for the others, as Finn et al. (2017) have it.
        """
        rates: Any = learning_rates
        if rates is None:
            rates = [
                self.inner_learning_rate * (0.5 if n else 1) for n in range(updates)
            ]
        state, found = None, []
        for number in range(updates + 1):
            at = tf.random.fold_in(seed, tf.constant(number), alg="philox")
            drawn = self.roll_out(tasks, state, at, trajectories=trajectories)
            found.append(tf.reduce_mean(returns(drawn), axis=1))
            if number < updates:
                state = self.adapt(
                    drawn, None, state=state, learning_rate=rates[number]
                )
        return tf.stack(found)

    def state_spec(self, ways: int | None = None) -> dict[str, tf.TensorSpec]:
        """The weights of one task; there are no ways."""
        return {
            name: tf.TensorSpec(shape, self.variable_dtype)
            for name, shape in self.policy.shapes.items()
        }

    def example_spec(self, input_dtype: str | None = None) -> ExampleSpec:
        """An observation."""
        dtype = tf.as_dtype(input_dtype or "float32")
        return ExampleSpec((self.family.observation_size,), dtype, float_too=False)

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """`begin`, `act` and `adapt`, see `policy_endpoints`."""
        return policy_endpoints(self)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        names = (
            "activation",
            "trajectories",
            "inner_learning_rate",
            "gamma",
            "gae_lambda",
            "baseline",
            "normalize_advantages",
            "initial_deviation",
            "least_deviation",
            "seed",
        )
        return {
            **super().get_config(),
            "family": keras.saving.serialize_keras_object(self.family),
            "hidden_units": list(self.hidden_units),
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The learner of a `get_config`."""
        family = keras.saving.deserialize_keras_object(
            config["family"], custom_objects=custom_objects
        )
        return cls(**{**config, "family": family})
