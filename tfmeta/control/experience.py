"""Several episodes of a task as one sequence, in the order in which they were lived."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfmeta.control.trajectories import Trajectories


class Experience(NamedTuple):
    """What was lived through of each task, one step after the other.

    Attributes:
        observations: Float `(tasks, steps, observation_size)`, of before each step.
        actions: `(tasks, steps, *action)`.
        rewards: Float `(tasks, steps)`, 0 where there was no step.
        ended: Bool `(tasks, steps)`: the last step of an episode.
        mask: Bool `(tasks, steps)`: real steps, which come first.
        log_probabilities: Float `(tasks, steps)`, of the actions when they were
            chosen.
    """

    observations: tf.Tensor
    actions: tf.Tensor
    rewards: tf.Tensor
    ended: tf.Tensor
    mask: tf.Tensor
    log_probabilities: tf.Tensor


def experience_of(trajectories: Trajectories) -> Experience:
    """Trajectories, each a whole episode, one behind the other without the padding.

    Args:
        trajectories: The axis of trajectories is that of time.
    """
    mask = trajectories.mask
    later = tf.concat([mask[..., 1:], tf.zeros_like(mask[..., :1])], axis=-1)
    parts = Experience(
        trajectories.observations,
        trajectories.actions,
        trajectories.rewards,
        mask & ~later,
        mask,
        trajectories.log_probabilities,
    )
    parts = Experience(*(_in_one_row(part) for part in parts))
    padded = tf.cast(~parts.mask, tf.int32)
    order = tf.argsort(padded, axis=1, stable=True)
    return Experience(*(tf.gather(part, order, batch_dims=1) for part in parts))


def _in_one_row(part: tf.Tensor) -> tf.Tensor:
    """`(tasks, trajectories, steps, ...)` as `(tasks, trajectories * steps, ...)`."""
    sizes, known = tf.shape(part), part.shape
    row = sizes[1] * sizes[2]
    if known[1] is not None and known[2] is not None:
        row = known[1] * known[2]
    flat = tf.reshape(part, tf.concat([[sizes[0], row], sizes[3:]], axis=0))
    steps = row if isinstance(row, int) else None
    return tf.ensure_shape(flat, [known[0], steps, *known[3:]])
