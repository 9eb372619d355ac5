"""Spaces of Gymnasium as fixed numbers of observations and actions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmeta.control.action_space import ActionSpace


def with_flat_observations(environment: Any) -> Any:
    """An environment that observes an array, whatever it observed before.

    One of several is one-hot, and what has parts is joined, as Gymnasium does.

    Raises:
        ValueError: When its observations have no fixed shape.
    """
    import gymnasium

    space = environment.observation_space
    if isinstance(space, gymnasium.spaces.Box):
        return environment
    try:
        gymnasium.spaces.flatdim(space)
        return gymnasium.wrappers.FlattenObservation(environment)
    except (ValueError, NotImplementedError) as error:
        raise ValueError(
            "an environment must have observations of a fixed shape, that can be "
            f"flattened to an array. Received: {_kind(space)}"
        ) from error


def action_space_of(space: Any) -> ActionSpace:
    """What an agent may do.

    Raises:
        ValueError: When it is neither one of some actions nor an array of numbers.
    """
    import gymnasium

    if isinstance(space, gymnasium.spaces.Discrete):
        return ActionSpace("discrete", int(space.n))
    if isinstance(space, gymnasium.spaces.Box):
        size = int(np.prod(space.shape))
        low, high = float(np.min(space.low)), float(np.max(space.high))
        if np.isfinite(low) and np.isfinite(high):
            return ActionSpace("continuous", size, low=low, high=high)
        return ActionSpace("continuous", size)
    raise ValueError(
        "an environment must have actions of a fixed shape, Discrete or Box. Received: "
        f"{_kind(space)}"
    )


def as_environment_takes(space: Any, actions: np.ndarray) -> np.ndarray:
    """Actions of many environments in the form that theirs has, clipped to its bounds.

    Args:
        space: Of one environment.
        actions: `(environments, *ActionSpace.shape)`.
    """
    import gymnasium

    if isinstance(space, gymnasium.spaces.Discrete):
        return actions.astype(space.dtype) + space.start
    shaped = actions.reshape(len(actions), *space.shape)
    return np.clip(shaped, space.low, space.high).astype(space.dtype)


def _kind(space: Any) -> str:
    return type(space).__name__
