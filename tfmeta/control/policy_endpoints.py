"""What a policy is served by: to act, and to learn from what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfmeta.control.action_space import ActionSpace
from tfmeta.control.trajectories import Trajectories
from tfmeta.signatures.endpoint import Endpoint

# Trajectories that an export is tried with.
_TRIED = 2


def policy_endpoints(learner: Any) -> list[Endpoint]:
    """Endpoints of one task, in the order in which a client needs them.

    Args:
        learner: With `family`, `initial_state`, `adapt`, `act`, `predict_query` and
            `state_spec`.

    Returns:
        `begin`, from nothing to the state before any update; `act`, from a state,
        `observations` `(rows, observation)` and `seed` int32 `(2,)` to `actions`, which
        are drawn by the seed, `likely_actions` and `distributions`; and `adapt`, from a
        state and the trajectories that were drawn by it, padded to the horizon, to
        the state after one update.
        None is batchable: each is of one task.
    """
    family = learner.family
    actions: ActionSpace = family.actions
    parts = _parts(learner)
    seen, horizon = family.observation_size, family.horizon
    dtype = tf.as_dtype(learner.variable_dtype)
    lived = {
        "observations": tf.TensorSpec([None, horizon, seen], dtype),
        "actions": tf.TensorSpec([None, horizon, *actions.shape], actions.dtype),
        "rewards": tf.TensorSpec([None, horizon], dtype),
        "mask": tf.TensorSpec([None, horizon], tf.bool),
        "terminated": tf.TensorSpec([None], tf.bool),
        "last_observations": tf.TensorSpec([None, seen], dtype),
    }

    def begin() -> dict[str, tf.Tensor]:
        return {name: part[0] for name, part in learner.initial_state(1).items()}

    def adapt(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        values, given = tensors[: len(parts)], tensors[len(parts) :]
        named = {
            name: part[tf.newaxis] for name, part in zip(lived, given, strict=True)
        }
        # An update looks at what was done, not at how probable it was.
        drawn = Trajectories(log_probabilities=tf.zeros_like(named["rewards"]), **named)
        adapted = learner.adapt(drawn, None, state=_state_of(parts, values))
        return {name: part[0] for name, part in adapted.items()}

    trial = {
        name: tf.zeros([_TRIED, *spec.shape[1:]], spec.dtype)
        for name, spec in lived.items()
    }
    trial["mask"] = tf.ones([_TRIED, horizon], tf.bool)
    return [
        Endpoint("begin", begin, ()),
        _act(learner),
        Endpoint(
            "adapt",
            adapt,
            (
                *parts,
                *(tf.TensorSpec(s.shape, s.dtype, n) for n, s in lived.items()),
            ),
            takes_state=True,
            trial=trial,
        ),
    ]


def remembering_endpoints(learner: Any) -> list[Endpoint]:
    """As `policy_endpoints`, of a policy whose state is a memory.

    Args:
        learner: With `family`, `begin`, `observe`, `act`, `predict_query` and
            `state_spec`.

    Returns:
        `begin` and `act`; and `observe`, from a state and one step (`observations`
        `(1, observation)`, `actions` `(1, *action)`, `rewards` `(1,)`, and
        `episode_ended` `(1,)`, whether the episode is over) to the state after it.
    """
    family, parts = learner.family, _parts(learner)
    dtype = tf.as_dtype(learner.variable_dtype)
    step = {
        "observations": tf.TensorSpec([1, family.observation_size], dtype),
        "actions": tf.TensorSpec([1, *family.actions.shape], family.actions.dtype),
        "rewards": tf.TensorSpec([1], dtype),
        "episode_ended": tf.TensorSpec([1], tf.bool),
    }

    def begin() -> dict[str, tf.Tensor]:
        return {name: part[0] for name, part in learner.begin(1).items()}

    def observe(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        values, lived = tensors[: len(parts)], tensors[len(parts) :]
        after = learner.observe(_state_of(parts, values), *lived)
        return {name: part[0] for name, part in after.items()}

    return [
        Endpoint("begin", begin, ()),
        _act(learner),
        Endpoint(
            "observe",
            observe,
            (*parts, *(tf.TensorSpec(s.shape, s.dtype, n) for n, s in step.items())),
            takes_state=True,
            trial={n: tf.zeros(s.shape, s.dtype) for n, s in step.items()},
        ),
    ]


def _act(learner: Any) -> Endpoint:
    """From a state, observations and a seed to actions."""
    actions: ActionSpace = learner.family.actions
    parts, seen = _parts(learner), learner.family.observation_size
    dtype = tf.as_dtype(learner.variable_dtype)

    def act(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        *values, observations, seed = tensors
        state = _state_of(parts, values)
        rows = observations[tf.newaxis]
        outputs = learner.predict_query(state, rows)
        likely = (
            tf.argmax(outputs, axis=-1, output_type=tf.int32)
            if actions.kind == "discrete"
            else outputs[..., : actions.size]
        )
        return {
            "actions": learner.act(state, rows, seed)[0],
            "likely_actions": likely[0],
            "distributions": outputs[0],
        }

    return Endpoint(
        "act",
        act,
        (
            *parts,
            tf.TensorSpec([None, seen], dtype, "observations"),
            tf.TensorSpec([2], tf.int32, "seed"),
        ),
        takes_state=True,
        trial={
            "observations": tf.zeros([2, seen], dtype),
            "seed": tf.zeros([2], tf.int32),
        },
    )


def _parts(learner: Any) -> tuple[tf.TensorSpec, ...]:
    """What a state is of, as arguments of an endpoint."""
    return tuple(
        tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in learner.state_spec().items()
    )


def _state_of(
    parts: Sequence[tf.TensorSpec], tensors: Sequence[tf.Tensor]
) -> dict[str, tf.Tensor]:
    """The state of one task, with an axis of tasks."""
    return {
        spec.name: value[tf.newaxis] for spec, value in zip(parts, tensors, strict=True)
    }
