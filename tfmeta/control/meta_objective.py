"""What the outer loop makes large: the return after adaptation, by the start."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from tfmeta.control.adaptation import Judged, Judgement, log_probabilities, updated
from tfmeta.control.advantages import masked_mean
from tfmeta.control.distributions import distribution_of
from tfmeta.control.policies import Policy
from tfmeta.control.trajectories import Trajectories
from tfmeta.control.trust_region import Product, flatten, unflatten
from tfmeta.learners.inner_rules import InnerRule, Parameters

# What stands for distributions over actions; see `distribution_of`.
Parts: TypeAlias = tuple[tf.Tensor, ...]


class Experience(NamedTuple):
    """What one step of the outer loop learns from.

    Attributes:
        before: Of each inner step the trajectories that it learns from.
        after: Trajectories of the adapted policies.
        credit: `(tasks,)`: how good the adapted policies were, in the units of
            `after`'s advantages; only with the correction of sampling.
        acted: The parts of the adapted policies' distributions at `after`.
    """

    before: Sequence[Judged]
    after: Judged
    credit: tf.Tensor
    acted: Parts


@dataclasses.dataclass(frozen=True)
class MetaObjective:
    """The surrogate of the expected return after adaptation, and its trust region.

    Finn, Abbeel and Levine (2017), *Model-Agnostic Meta-Learning for Fast Adaptation of
    Deep Networks*, equation 6. The update is differentiated too, unless `first_order`.

    That gradient is not the one of the expected return: which trajectories an update
    learns from depends on the start as well. Al-Shedivat, Bansal, Burda, Sutskever,
    Mordatch and Abbeel (2018), *Continuous Adaptation via Meta-Learning in
    Nonstationary and Competitive Environments*, and Stadie, Yang, Houthooft, Chen,
    Duan, Wu, Abbeel and Sutskever (2018), *Some Considerations on Learning to Explore
    via Meta-Reinforcement Learning* (E-MAML) have the missing term, the gradient of the
    log probability of those trajectories times the return after adaptation, which is
    there with `sampling_correction`. It has a large variance, as every action before
    the update is credited with all that comes after it.

    Attributes:
        policy: Its form.
        rule: The inner rule.
        judgement: How advantages are found.
        first_order: Whether updates are constants to the outer loop.
        sampling_correction: Whether the term is there.
    """

    policy: Policy
    rule: InnerRule
    judgement: Judgement
    first_order: bool = False
    sampling_correction: bool = False

    def credit(self, after: Judged) -> tf.Tensor:
        """What trajectories before the updates are credited with, `(tasks,)`.

        The return after adaptation, beyond the mean of the other tasks, which are
        independent of what was drawn in this one: no bias comes of it.

        Args:
            after: Trajectories of the adapted policies.
        """
        found = self.judgement.returns_of_tasks(after.trajectories)
        count = tf.shape(found)[0]
        others = (tf.reduce_sum(found) - found) / tf.cast(
            tf.maximum(count - 1, 1), found.dtype
        )
        return (found - others) / after.scale

    def adapted(
        self, start: Parameters, before: Sequence[Judged], tasks: int | tf.Tensor
    ) -> list[Parameters]:
        """Weights of every task: at the start, and after each of the updates.

        Args:
            start: In the order of `policy.shapes`, without an axis of tasks.
            before: Of each update the trajectories.
            tasks: How many.
        """
        shapes = self.policy.shapes.values()
        weights = [
            tf.broadcast_to(part, [tasks, *shape])
            for part, shape in zip(start, shapes, strict=True)
        ]
        found = [weights]
        for judged in before:
            weights = updated(
                self.policy, self.rule, weights, judged, first_order=self.first_order
            )
            found.append(weights)
        return found

    def part(self, experience: Experience, share: float) -> Experience:
        """The first of the tasks, at least one; `credit` is not for them.

        Args:
            experience: What was drawn.
            share: How much of it, above 0 and at most 1.
        """
        if share == 1.0:
            return experience
        tasks = tf.shape(experience.after.advantages)[0]
        known = experience.after.advantages.shape[0]
        count = (
            tf.cast(tf.math.ceil(share * tf.cast(tasks, tf.float32)), tf.int32)
            if known is None
            else math.ceil(share * known)
        )
        found: Experience = tf.nest.map_structure(
            lambda values: values[:count], experience
        )
        return found

    def parts(self, start: Parameters, experience: Experience) -> Parts:
        """Of the adapted policies' distributions at `after`."""
        after = experience.after.trajectories
        *_, weights = self.adapted(start, experience.before, tf.shape(after.mask)[0])
        named = self.policy.as_dict(weights)
        return self.policy.distribution(named, after.observations).parts

    def surrogates(self, start: Parameters, experience: Experience) -> tf.Tensor:
        """Of each task what is to grow, `(tasks,)`.

        The mean over the real steps after adaptation of the advantage times how much
        more likely the action is than it was. Its gradient where the trajectories were
        drawn is that of the return divided by the mean number of steps.

        Args:
            start: In the order of `policy.shapes`, without an axis of tasks.
            experience: What was drawn.
        """
        return self._surrogates_and_parts(start, experience)[0]

    def _surrogates_and_parts(
        self, start: Parameters, experience: Experience
    ) -> tuple[tf.Tensor, Parts]:
        after = experience.after.trajectories
        tasks = tf.shape(after.mask)[0]
        weights = self.adapted(start, experience.before, tasks)
        named = self.policy.as_dict(weights[-1])
        here = self.policy.distribution(named, after.observations)
        ratios = _ratios(here.log_prob(after.actions), after)
        found = masked_mean(ratios * experience.after.advantages, after.mask)
        if self.sampling_correction:
            steps = tf.reduce_sum(tf.cast(after.mask, found.dtype), axis=[1, 2])
            steps /= tf.cast(tf.shape(after.mask)[1], found.dtype)
            for own, judged in zip(weights[:-1], experience.before, strict=True):
                drawn = judged.trajectories
                logs = log_probabilities(self.policy, own, drawn)
                ratios = _ratios(logs, drawn)
                ratios = tf.where(drawn.mask, ratios, tf.zeros_like(ratios))
                total = tf.reduce_sum(ratios, axis=[1, 2])
                found += total * experience.credit / steps
        return found, here.parts

    def divergence(self, parts: Parts, experience: Experience) -> tf.Tensor:
        """Mean divergence of such distributions from those that acted, a scalar."""
        actions = self.policy.actions
        here = distribution_of(actions, experience.acted)
        apart = here.kl(distribution_of(actions, parts))
        return tf.reduce_mean(masked_mean(apart, experience.after.trajectories.mask))

    def measured(
        self, start: Parameters, experience: Experience
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean surrogate and divergence of adapted policies, as a line search asks."""
        surrogates, parts = self._surrogates_and_parts(start, experience)
        return tf.reduce_mean(surrogates), self.divergence(parts, experience)

    def curvature(
        self, start: Parameters, experience: Experience, *, damping: float
    ) -> Product:
        """The second derivative of the divergence by the start, times a vector.

        Where the trajectories were drawn it is `J' F J`, with `F` the Fisher
        information of the adapted policies and `J` the derivative of their outputs by
        the start, the updates included. Forward passes and the gradient of the updates
        are computed once, here; a product only runs backwards through them.

        Args:
            start: In the order of `policy.shapes`, without an axis of tasks.
            experience: What was drawn.
            damping: Times the vector, what is added.
        """
        after = experience.after.trajectories
        shapes = list(self.policy.shapes.values())
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(start)
            parts = self.parts(start, experience)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as twice:
            cotangents = [tf.zeros_like(part) for part in parts]
            twice.watch(cotangents)
            # Linear in the cotangent: its own gradient is the derivative forwards.
            pulled = _gradient(tape, parts, start, cotangents)
        here = distribution_of(self.policy.actions, parts)
        mask = tf.cast(after.mask, parts[0].dtype)
        real = tf.reduce_sum(mask, axis=[1, 2], keepdims=True)
        share = mask / tf.maximum(real, 1.0) / tf.cast(tf.shape(mask)[0], mask.dtype)

        def product(vector: tf.Tensor) -> tf.Tensor:
            tangents = _gradient(twice, pulled, cotangents, unflatten(vector, shapes))
            weighted = [
                _summed_to(tf.expand_dims(share, -1) * row, part)
                for row, part in zip(here.fisher_product(tangents), parts, strict=True)
            ]
            return flatten(_gradient(tape, parts, start, weighted)) + damping * vector

        return product


def _ratios(logs: tf.Tensor, drawn: Trajectories) -> tf.Tensor:
    """How much more likely what was done is than it was, 1 behind the end."""
    change = logs - drawn.log_probabilities
    return tf.exp(tf.where(drawn.mask, change, tf.zeros_like(change)))


def _summed_to(values: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
    """Rows that share a number, as standard deviations do, in one sum."""
    shared = [axis for axis, size in enumerate(part.shape) if size == 1]
    return tf.reduce_sum(values, axis=shared, keepdims=True) if shared else values


def _gradient(
    tape: tf.GradientTape,
    target: Sequence[tf.Tensor],
    sources: Sequence[tf.Tensor],
    cotangent: Sequence[tf.Tensor],
) -> list[tf.Tensor]:
    found: list[tf.Tensor] = tape.gradient(
        list(target),
        list(sources),
        output_gradients=list(cotangent),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return found
