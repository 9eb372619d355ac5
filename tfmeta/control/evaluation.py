"""What updates are worth: returns after each, on trajectories of their own."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfmeta.control.acting_learner import ActingLearner
from tfmeta.control.environment_errors import environment_errors
from tfmeta.episodes.arguments import check_count
from tfmeta.finite_checks import check_finite

_STREAM = 0x6576
# By learner, and there by the numbers of updates and trajectories.
_FUNCTIONS: weakref.WeakKeyDictionary[
    ActingLearner, dict[tuple[int, int], Callable[..., tf.Tensor]]
] = weakref.WeakKeyDictionary()


def returns_by_update(
    learner: ActingLearner,
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
        learner: Whose policy is adapted. Of one that remembers, an update is an episode
            that it has lived through, and trajectories are trials.
        task_numbers: Int64 `(tasks,)`.
        updates: How many.
        trajectories: Of each task, for each update and each figure.
        seed: Of what is drawn: the same for learners that are to be compared.
        learning_rates: Of each update, by default the learner's, halved after the first
            as Finn, Abbeel and Levine (2017) do.

    Returns:
        Float64 `(updates + 1, tasks)`.

    Raises:
        ValueError: When there is another number of rates than of updates, or when a
            return is not finite.
    """
    updates = check_count("updates", updates, 0)
    trajectories = check_count("trajectories", trajectories, 1)
    if learning_rates is not None and len(learning_rates) != updates:
        raise ValueError(
            f"`learning_rates` must be one of each of {updates} updates. Received: "
            f"{len(learning_rates)}"
        )
    numbers = tf.cast(tf.convert_to_tensor(task_numbers), tf.int64)
    own = tf.constant([check_count("seed", seed, 0) % 2**31, _STREAM], tf.int32)
    rates: tuple[tf.Tensor, ...] = ()
    if learning_rates is not None:
        rates = (tf.constant(learning_rates, learner.variable_dtype, [updates]),)
    measured = _traced(learner, updates, trajectories)
    with environment_errors():
        found: np.ndarray = measured(numbers, own, *rates).numpy().astype(np.float64)
    check_finite("returns", found)
    return found


def _traced(
    learner: ActingLearner, updates: int, trajectories: int
) -> Callable[..., tf.Tensor]:
    """The same function for the same learner, whose weights it reads at every call."""
    of_learner = _FUNCTIONS.setdefault(learner, {})
    if (updates, trajectories) in of_learner:
        return of_learner[updates, trajectories]
    # Held by itself, a learner would never be let go.
    reference = weakref.ref(learner)

    # Nothing here is for AutoGraph, which takes most of the tracing.
    @tf.function(autograph=False, reduce_retracing=True)
    def measured(numbers: tf.Tensor, seed: tf.Tensor, *rates: tf.Tensor) -> tf.Tensor:
        learner = reference()
        assert learner is not None
        return learner.returns_by_update(
            learner.family.tasks(numbers),
            seed,
            updates=updates,
            trajectories=trajectories,
            learning_rates=rates[0] if rates else None,
        )

    of_learner[updates, trajectories] = measured
    return measured
