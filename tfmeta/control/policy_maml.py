"""Model-agnostic meta-learning of policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import tensorflow as tf

from tfmeta.control.adapted_policy import AdaptedPolicy
from tfmeta.control.arguments import above_zero, fraction, one_of
from tfmeta.control.meta_objective import Experience, MetaObjective
from tfmeta.control.outer_steps import (
    OuterStep,
    TrustRegion,
    first_derivative_step,
    trust_region_step,
)
from tfmeta.control.rollouts import returns
from tfmeta.control.task_family import TaskFamily, TaskParameters
from tfmeta.episodes.arguments import check_count
from tfmeta.finite import all_finite
from tfmeta.learners.inner_rules import Parameters, Scale

Outer = Literal["trpo", "policy_gradient"]
OUTERS = ("trpo", "policy_gradient")
_TRAIN, _TEST = 0x7472, 0x7465


@keras.saving.register_keras_serializable(package="tfmeta")
class PolicyMAML(AdaptedPolicy):
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
        inner_steps: Updates in training; 0 trains one policy for all tasks.
        first_order: Whether updates are constants to the outer loop.
        sampling_correction: Whether the outer gradient knows that what is drawn before
            an update depends on the start, see `MetaObjective`.
        outer: `"trpo"`, or `"policy_gradient"` with the optimizer of `compile`.
        max_kl: Largest divergence of the adapted policies in an outer step of TRPO.
        cg_iterations: Of conjugate gradients, likewise.
        cg_damping: Likewise.
        cg_share: What share of the tasks of a batch the curvature is computed of, which
            is most of the work, likewise. Steps are held against all of them.
        backtracks: Steps that the line search tries, likewise.
        backtrack_ratio: What of a step the next one is, likewise.
        **kwargs: As for `AdaptedPolicy`: the network, how many trajectories, how
            advantages are found, and the rate of the update.

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

    def __init__(
        self,
        family: TaskFamily,
        *,
        inner_steps: int = 1,
        first_order: bool = False,
        sampling_correction: bool = False,
        outer: Outer = "trpo",
        max_kl: float = 0.01,
        cg_iterations: int = 10,
        cg_damping: float = 1e-5,
        cg_share: float = 1.0,
        backtracks: int = 15,
        backtrack_ratio: float = 0.8,
        **kwargs: Any,
    ) -> None:
        super().__init__(family, **kwargs)
        self.inner_steps = check_count("inner_steps", inner_steps, 0)
        self.first_order = bool(first_order)
        self.sampling_correction = bool(sampling_correction)
        self.outer = one_of("outer", outer, OUTERS)
        self.max_kl = above_zero("max_kl", max_kl)
        self.cg_iterations = check_count("cg_iterations", cg_iterations, 1)
        self.cg_damping = above_zero("cg_damping", cg_damping)
        self.cg_share = above_zero("cg_share", fraction("cg_share", cg_share))
        self.backtracks = check_count("backtracks", backtracks, 1)
        self.backtrack_ratio = fraction("backtrack_ratio", backtrack_ratio)
        # What is drawn in training is a function of the seed and of this number.
        self.iteration = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )
        names = ("loss", "return_before", "return_after", "kl", "improvement")
        self.means = [keras.metrics.Mean(name=name) for name in names]

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        *,
        metrics: list | None = None,
        weighted_metrics: list | None = None,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """As `FewShotLearner.compile`; TRPO follows no optimizer.

        Args:
            optimizer: As for Keras.
            loss: `None`: the objective is the learner's own.
            metrics: `None`: there are no labels that others could be of.
            weighted_metrics: Likewise.
            jit_compile: Whether XLA compiles a step, which takes it a minute; only
                where environments are stepped by operations that it knows.
            **kwargs: As for `FewShotLearner.compile`.

        Raises:
            ValueError: When there is a loss or a metric.
        """
        for name, value in (("loss", loss), ("metrics", metrics or weighted_metrics)):
            if value:
                raise ValueError(
                    f"`{name}` must be None: {type(self).__name__} has no labels, and "
                    f"an objective of its own. Received: {name}={value!r}"
                )
        super().compile(optimizer, jit_compile=jit_compile, **kwargs)
        # TRPO would never build it, and a file that is loaded expects it built.
        self.optimizer.build(self.trainable_variables)

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
    def metrics(self) -> list[keras.metrics.Metric]:
        """Those of `train_step`; there are no labels that others could be of."""
        return list(self.means)

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
        acted = self.policy.distribution(state, drawn.observations).parts
        acted = tuple(tf.stop_gradient(part) for part in acted)
        credit = self.objective.credit(after)
        return Experience(before, after, tf.stop_gradient(credit), acted)

    # Nothing here is for AutoGraph, which would take two thirds of the tracing.
    @tf.autograph.experimental.do_not_convert
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
        return self._measured(experience, step.kl, step.improvement, sound)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> dict[str, Any]:
        """Returns before and after adaptation, of trajectories of a seed of its own."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        numbers = tf.cast(inputs["task_numbers"], tf.int64)
        seed = self._seed(_TEST, tf.reduce_sum(numbers))
        experience = self.collect(self.family.tasks(numbers), seed)
        zero = tf.zeros([], self.variable_dtype)
        sound = all_finite(_floats(experience))
        found = self._measured(experience, zero, zero, sound)
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

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        names = (
            "inner_steps",
            "first_order",
            "sampling_correction",
            "outer",
            "max_kl",
            "cg_iterations",
            "cg_damping",
            "cg_share",
            "backtracks",
            "backtrack_ratio",
        )
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
        }

    def _outer_step(self, start: Parameters, experience: Experience) -> OuterStep:
        if self.outer == "trpo":
            region = TrustRegion(
                self.max_kl,
                self.cg_iterations,
                self.cg_damping,
                self.cg_share,
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

    def _measured(
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
