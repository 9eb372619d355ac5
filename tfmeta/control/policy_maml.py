"""Model-agnostic meta-learning of policies."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from tfmeta.control.adaptation import BASELINES, Baseline, Judgement, updated
from tfmeta.control.distributions import distribution_of
from tfmeta.control.meta_objective import Experience, MetaObjective
from tfmeta.control.outer_steps import (
    OuterStep,
    TrustRegion,
    first_derivative_step,
    trust_region_step,
)
from tfmeta.control.policies import Activation, Policy
from tfmeta.control.rollouts import returns, roll_out
from tfmeta.control.task_family import TaskFamily, TaskParameters
from tfmeta.control.trajectories import Trajectories
from tfmeta.episodes.arguments import check_count
from tfmeta.finite import all_finite
from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.each_query import State
from tfmeta.learners.inner_rules import Parameters, Scale
from tfmeta.signatures.example_spec import ExampleSpec

Outer = Literal["trpo", "policy_gradient"]
OUTERS = ("trpo", "policy_gradient")
_TRAIN, _TEST = 0x7472, 0x7465


@keras.saving.register_keras_serializable(package="tfmeta")
class PolicyMAML(FewShotLearner):
    """A policy from which one update by the policy gradient leads far, in any task.

    Finn, Abbeel and Levine (2017), *Model-Agnostic Meta-Learning for Fast Adaptation of
    Deep Networks*, section 4.2: in every task of a batch the policy acts, takes a
    gradient step on what it was given, and acts again; the outer step makes the return
    of that second time larger, by trust region policy optimization as published, or by
    the optimizer of `compile`. A linear baseline is fitted in each task.

    It draws its own support: a batch is `({"task_numbers": int64 (tasks,)},)`, as
    `ControlTasks` gives it, and trajectories come about inside `train_step`. The
    verbs:

    - `adapt(trajectories, None, state=...)` is one update. Without a state it begins
      at the meta-parameters, which then must be what drew the trajectories. The state
      is the weights of every task by name, `(tasks, *shape)`.
    - `predict_query(state, observations)` gives distributions: of one of some actions
      the logits, `(tasks, ..., actions)`; of real numbers the means and then the
      logarithms of the standard deviations, `(tasks, ..., 2 * size)`.
    - `act(state, observations, seed)` draws actions of them.

    A step whose rewards, gradient or weights are not finite is refused: the weights
    stay as they are, and all metrics are NaN, at which `StopAtNonFinite` raises.

    Args:
        family: The tasks.
        hidden_units: Of the policy's hidden layers.
        activation: Of these, `"relu"` or `"tanh"`.
        trajectories: Of each task, for each update.
        inner_learning_rate: Of the update. Where actions have bounds, a policy's unit
            is half of what lies between them.
        inner_steps: Updates in training; 0 trains one policy for all tasks.
        gamma: Discount.
        gae_lambda: Of generalised advantage estimation.
        baseline: `"linear"` or `"none"`.
        normalize_advantages: Whether they are of mean 0 and deviation 1 in each task.
        first_order: Whether updates are constants to the outer loop.
        sampling_correction: Whether the outer gradient knows that what is drawn before
            an update depends on the start, see `MetaObjective`.
        outer: `"trpo"`, or `"policy_gradient"` with the optimizer of `compile`.
        max_kl: Largest divergence of the adapted policies in an outer step of TRPO.
        cg_iterations: Of conjugate gradients, likewise.
        cg_damping: Likewise.
        backtracks: Steps that the line search tries, likewise.
        backtrack_ratio: What of a step the next one is, likewise.
        initial_deviation: Standard deviation of real actions at the beginning.
        least_deviation: Its floor.
        seed: Of the weights, and of what is drawn in training and evaluation.
        **kwargs: As for `keras.Model`.

    Raises:
        ValueError: When an argument is out of range; names it.

    Example:

    ```python
    family = tfmeta.control.Navigation()
    learner = tfmeta.control.PolicyMAML(family)
    learner.compile()
    tasks = tfmeta.control.ControlTasks(family, tasks=20)
    learner.fit(tasks, steps_per_epoch=10, epochs=10)
    ```
    """

    task = "control"
    labelled_support = False
    encoder_arguments = ()

    def __init__(
        self,
        family: TaskFamily,
        *,
        hidden_units: Sequence[int] = (100, 100),
        activation: Activation = "relu",
        trajectories: int = 20,
        inner_learning_rate: float = 0.1,
        inner_steps: int = 1,
        gamma: float = 0.99,
        gae_lambda: float = 1.0,
        baseline: Baseline = "linear",
        normalize_advantages: bool = True,
        first_order: bool = False,
        sampling_correction: bool = False,
        outer: Outer = "trpo",
        max_kl: float = 0.01,
        cg_iterations: int = 10,
        cg_damping: float = 1e-5,
        backtracks: int = 15,
        backtrack_ratio: float = 0.8,
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
        self.activation = _one_of("activation", activation, ("relu", "tanh"))
        self.trajectories = check_count("trajectories", trajectories, 1)
        self.inner_learning_rate = _above_0("inner_learning_rate", inner_learning_rate)
        self.inner_steps = check_count("inner_steps", inner_steps, 0)
        self.gamma = _fraction("gamma", gamma)
        self.gae_lambda = _fraction("gae_lambda", gae_lambda)
        self.baseline = _one_of("baseline", baseline, BASELINES)
        self.normalize_advantages = bool(normalize_advantages)
        self.first_order = bool(first_order)
        self.sampling_correction = bool(sampling_correction)
        self.outer = _one_of("outer", outer, OUTERS)
        self.max_kl = _above_0("max_kl", max_kl)
        self.cg_iterations = check_count("cg_iterations", cg_iterations, 1)
        self.cg_damping = _above_0("cg_damping", cg_damping)
        self.backtracks = check_count("backtracks", backtracks, 1)
        self.backtrack_ratio = _fraction("backtrack_ratio", backtrack_ratio)
        self.initial_deviation = _above_0("initial_deviation", initial_deviation)
        self.least_deviation = _above_0("least_deviation", least_deviation)
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
        # What is drawn in training is a function of the seed and of this number.
        self.iteration = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )
        names = ("loss", "return_before", "return_after", "kl", "improvement")
        self.means = [keras.metrics.Mean(name=name) for name in names]

    @property
    def objective(self) -> MetaObjective:
        """What the outer loop makes large."""
        return MetaObjective(
            self.policy,
            Scale(-self.inner_learning_rate),
            self.judgement,
            first_order=self.first_order,
            sampling_correction=self.sampling_correction,
        )

    @property
    def judgement(self) -> Judgement:
        """How advantages are found."""
        return Judgement(
            self.gamma, self.gae_lambda, self.baseline, self.normalize_advantages
        )

    def adapt(
        self,
        support: Trajectories,
        support_labels: None,
        *,
        state: State | None = None,
        learning_rate: float | tf.Tensor | None = None,
        training: bool = False,
    ) -> State:
        """One update of each task's policy on trajectories that it drew.

        Args:
            support: Trajectories of all tasks.
            support_labels: `None`.
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
            first_order=self.first_order,
        )
        return self.policy.as_dict(moved)

    def initial_state(self, tasks: int | tf.Tensor) -> State:
        """The meta-parameters for each of so many tasks."""
        return {
            name: tf.broadcast_to(variable.value, [tasks, *variable.shape])
            for name, variable in zip(self.policy.shapes, self.start, strict=True)
        }

    def predict_query(
        self, state: State, query: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """What stands for distributions over actions, see the class.

        Args:
            state: What `adapt` returned, or `initial_state`.
            query: Observations `(tasks, ..., observation_size)`.
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
        drawn = distribution_of(self.family.actions, outputs).sample(seed)
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

    def collect(self, tasks: TaskParameters, seed: tf.Tensor) -> Experience:
        """Trajectories before each of the updates, and after the last one.

        Args:
            tasks: Of `family.tasks`.
            seed: As of `act`.
        """
        state, before = None, []
        for number in range(self.inner_steps):
            drawn = self.roll_out(tasks, state, _folded(seed, number))
            before.append(self.judgement(drawn))
            moved = self.adapt(drawn, None, state=state)
            state = {name: tf.stop_gradient(part) for name, part in moved.items()}
        drawn = self.roll_out(tasks, state, _folded(seed, self.inner_steps))
        after = self.judgement(drawn)
        if state is None:
            state = self.initial_state(tf.shape(drawn.mask)[0])
        outputs = tf.stop_gradient(self.policy(state, drawn.observations))
        credit = self.objective.credit(after)
        return Experience(before, after, tf.stop_gradient(credit), outputs)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One outer step on a batch of tasks; returns metrics."""
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ValueError(
                "`train_step` of PolicyMAML must run on one replica: its trust region "
                "is one of the whole batch. Received: a strategy of several"
            )
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        seed = self._seed(_TRAIN, self.iteration.value)
        experience = self.collect(self.family.tasks(inputs["task_numbers"]), seed)
        start = [variable.value for variable in self.start]
        step = self._outer_step(start, experience)
        sound = all_finite([*_floats(experience), *step.parameters]) & step.sound
        if self.outer == "trpo":
            for variable, value in zip(self.start, step.parameters, strict=True):
                variable.assign(tf.where(sound, value, variable.value))
        else:
            tf.cond(sound, lambda: self._follow(step.parameters), lambda: None)
        self.iteration.assign_add(1)
        return self._metrics(experience, step.kl, step.improvement, sound)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Returns before and after adaptation, of trajectories of a seed of its own."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        numbers = tf.cast(inputs["task_numbers"], tf.int64)
        seed = self._seed(_TEST, tf.reduce_sum(numbers))
        experience = self.collect(self.family.tasks(numbers), seed)
        zero = tf.zeros([], self.variable_dtype)
        sound = all_finite(_floats(experience))
        found = self._metrics(experience, zero, zero, sound)
        return {name: found[name] for name in ("loss", "return_before", "return_after")}

    def episode_logits(
        self, inputs: Mapping[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Distributions at `inputs["query"]`, after `inner_steps` updates."""
        tasks = self.family.tasks(inputs["task_numbers"])
        seed = self._seed(_TEST, tf.constant(0, tf.int64))
        state = self.initial_state(tf.shape(inputs["task_numbers"])[0])
        for number in range(self.inner_steps):
            drawn = self.roll_out(tasks, state, _folded(seed, number))
            state = self.adapt(drawn, None, state=state)
        return self.predict_query(state, inputs["query"])

    def check_inputs(self, inputs: Any) -> None:
        """Refuses what does not hold numbers of tasks.

        Raises:
            TypeError: When it is no dict.
            ValueError: When they are missing, or of another form.
        """
        if not isinstance(inputs, Mapping):
            raise TypeError(
                '`inputs` must be a dict of "task_numbers", as ControlTasks gives it. '
                f"Received: a {type(inputs).__name__}"
            )
        numbers = inputs.get("task_numbers")
        shape, dtype = getattr(numbers, "shape", None), getattr(numbers, "dtype", None)
        if shape is None or len(shape) != 1 or not tf.as_dtype(dtype).is_integer:
            received = ", ".join(inputs) if numbers is None else f"{dtype} {shape}"
            raise ValueError(
                '`inputs["task_numbers"]` must be int64 of shape (tasks,). Received: '
                f"{received}"
            )

    def default_loss(self) -> None:
        """None: the objective is the learner's own."""

    def default_metrics(self) -> list[str]:
        """None but the learner's own."""
        return []

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

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        names = (
            "activation",
            "trajectories",
            "inner_learning_rate",
            "inner_steps",
            "gamma",
            "gae_lambda",
            "baseline",
            "normalize_advantages",
            "first_order",
            "sampling_correction",
            "outer",
            "max_kl",
            "cg_iterations",
            "cg_damping",
            "backtracks",
            "backtrack_ratio",
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

    def _outer_step(self, start: Parameters, experience: Experience) -> OuterStep:
        if self.outer == "trpo":
            region = TrustRegion(
                self.max_kl,
                self.cg_iterations,
                self.cg_damping,
                self.backtracks,
                self.backtrack_ratio,
            )
            return trust_region_step(self.objective, start, experience, region)
        return first_derivative_step(self.objective, start, experience)

    def _follow(self, gradient: Parameters) -> None:
        self.optimizer.apply([-g for g in gradient], self.start)

    def _seed(self, stream: int, number: tf.Tensor) -> tf.Tensor:
        root = tf.constant([self.seed % 2**31, stream], tf.int32)
        # Both halves of the number count, and neither is rounded.
        low, high = tf.unstack(tf.bitcast(tf.cast(number, tf.int64), tf.int32))
        root = tf.random.fold_in(root, low, alg="philox")
        return tf.random.fold_in(root, high, alg="philox")

    def _metrics(
        self,
        experience: Experience,
        kl: tf.Tensor,
        improvement: tf.Tensor,
        sound: tf.Tensor,
    ) -> dict[str, Any]:
        """The means since the epoch began, NaN where a step was refused."""
        after = tf.reduce_mean(returns(experience.after.trajectories))
        before = after
        if experience.before:
            before = tf.reduce_mean(returns(experience.before[0].trajectories))
        nan = tf.constant(float("nan"), after.dtype)
        for metric, value in zip(
            self.means, (-after, before, after, kl, improvement), strict=True
        ):
            metric.update_state(tf.where(sound, value, nan))
        return {metric.name: metric.result() for metric in self.means}


def _floats(experience: Experience) -> list[tf.Tensor]:
    drawn = [judged.trajectories for judged in (*experience.before, experience.after)]
    return [part for each in drawn for part in (each.rewards, each.observations)]


def _folded(seed: tf.Tensor, number: int) -> tf.Tensor:
    return tf.random.fold_in(seed, tf.constant(number, seed.dtype), alg="philox")


def _one_of(name: str, value: Any, words: Sequence[str]) -> Any:
    if value not in words:
        raise ValueError(
            f"`{name}` must be one of {', '.join(words)}. Received: {name}={value!r}"
        )
    return value


def _above_0(name: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(
            f"`{name}` must be above 0 and finite. Received: {name}={value!r}"
        )
    return float(value)


def _fraction(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be from 0 to 1. Received: {name}={value!r}")
    return float(value)
