"""What a policy is served by: to act, and to learn from what came of it."""

from __future__ import annotations

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
    parts = tuple(
        tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in learner.state_spec().items()
    )
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

    def state_of(tensors: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        return {
            spec.name: value[tf.newaxis]
            for spec, value in zip(parts, tensors, strict=True)
        }

    def begin() -> dict[str, tf.Tensor]:
        return {name: part[0] for name, part in learner.initial_state(1).items()}

    def act(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        *values, observations, seed = tensors
        state, rows = state_of(tuple(values)), observations[tf.newaxis]
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

    def adapt(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        values, given = tensors[: len(parts)], tensors[len(parts) :]
        named = {
            name: part[tf.newaxis] for name, part in zip(lived, given, strict=True)
        }
        # An update looks at what was done, not at how probable it was.
        drawn = Trajectories(log_probabilities=tf.zeros_like(named["rewards"]), **named)
        adapted = learner.adapt(drawn, None, state=state_of(values))
        return {name: part[0] for name, part in adapted.items()}

    trial = {
        name: tf.zeros([_TRIED, *spec.shape[1:]], spec.dtype)
        for name, spec in lived.items()
    }
    trial["mask"] = tf.ones([_TRIED, horizon], tf.bool)
    observations = tf.TensorSpec([None, seen], dtype, "observations")
    seed = tf.TensorSpec([2], tf.int32, "seed")
    return [
        Endpoint("begin", begin, ()),
        Endpoint(
            "act",
            act,
            (*parts, observations, seed),
            takes_state=True,
            trial={
                "observations": tf.zeros([2, seen], dtype),
                "seed": tf.zeros([2], tf.int32),
            },
        ),
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
