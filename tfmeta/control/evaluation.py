"""What updates are worth: returns after each, on trajectories of their own."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfmeta.control.adapted_policy import AdaptedPolicy
from tfmeta.control.rollouts import returns
from tfmeta.episodes.arguments import check_count
from tfmeta.finite_checks import check_finite

_STREAM = 0x6576
# By learner, and there by the numbers of updates and trajectories.
_FUNCTIONS: weakref.WeakKeyDictionary[
    AdaptedPolicy, dict[tuple[int, int], Callable[..., tf.Tensor]]
] = weakref.WeakKeyDictionary()


def returns_by_update(
    learner: AdaptedPolicy,
    task_numbers: np.ndarray | tf.Tensor | Sequence[int],
    *,
    updates: int = 3,
    trajectories: int = 20,
    seed: int = 0,
    learning_rates: Sequence[float] | None = None,
) -> np.ndarray:
    """Mean undiscounted returns after 0, 1, 2 and more updates.

    The trajectories that are counted after an update are those that the next one learns
    from; no update is counted on what it has learned from.

    Args:
        learner: Whose policy is adapted.
        task_numbers: Int64 `(tasks,)`.
        updates: How many.
        trajectories: Of each task, for each update and each figure.
        seed: Of what is drawn: the same for learners that are to be compared.
        learning_rates: Of each update, by default the learner's. Finn, Abbeel and
            Levine (2017) halve the rate after the first, appendix A.2.

    Returns:
        Float64 `(updates + 1, tasks)`.

    Raises:
        ValueError: When there is another number of rates than of updates, or when a
            return is not finite.
    """
    updates = check_count("updates", updates, 0)
    trajectories = check_count("trajectories", trajectories, 1)
    rates = [learner.inner_learning_rate] * updates
    if learning_rates is not None:
        rates = list(learning_rates)
    if len(rates) != updates:
        raise ValueError(
            f"`learning_rates` must be one of each of {updates} updates. Received: "
            f"{len(rates)}"
        )
    numbers = tf.cast(tf.convert_to_tensor(task_numbers), tf.int64)
    own = tf.constant([check_count("seed", seed, 0) % 2**31, _STREAM], tf.int32)
    measured = _traced(learner, updates, trajectories)
    dtype = learner.variable_dtype
    values = measured(numbers, own, tf.constant(rates, dtype, [updates]))
    found = values.numpy().astype(np.float64)
    check_finite("returns", found)
    return found


def _traced(
    learner: AdaptedPolicy, updates: int, trajectories: int
) -> Callable[..., tf.Tensor]:
    """The same function for the same learner, whose weights it reads at every call."""
    of_learner = _FUNCTIONS.setdefault(learner, {})
    if (updates, trajectories) in of_learner:
        return of_learner[updates, trajectories]
    # Held by itself, a learner would never be let go.
    reference = weakref.ref(learner)

    # Nothing here is for AutoGraph, which takes most of the tracing.
    @tf.function(autograph=False, reduce_retracing=True)
    def measured(numbers: tf.Tensor, seed: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
        learner = reference()
        assert learner is not None
        tasks = learner.family.tasks(numbers)
        state = None
        found = []
        for number in range(updates + 1):
            at = tf.random.fold_in(seed, tf.constant(number), alg="philox")
            drawn = learner.roll_out(tasks, state, at, trajectories=trajectories)
            found.append(tf.reduce_mean(returns(drawn), axis=1))
            if number < updates:
                state = learner.adapt(
                    drawn, None, state=state, learning_rate=rates[number]
                )
        return tf.stack(found)

    of_learner[updates, trajectories] = measured
    return measured
