"""MiniGrid: small worlds of rooms and doors, a task one layout of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from tfmeta.control.gymnasium_family import GymnasiumFamily
from tfmeta.extras import MissingExtraError, is_installed


@keras.saving.register_keras_serializable(package="tfmeta")
class MiniGridFamily(GymnasiumFamily):
    """Layouts of a MiniGrid (Chevalier-Boisvert et al. 2023), each a task.

    The layout, and where the agent begins in it, is drawn by the seed of a reset, which
    is the same for all trajectories of a task. The agent sees the part before it: of
    each of 7 x 7 cells one-hot what is there, its colour and its state, and one-hot in
    which of four directions it looks. What the mission says is the same in all layouts
    of most of these worlds, and is left out.

    Args:
        env_id: Id of the environment.
        horizon: Steps of a trajectory, at most; `None` for those after which the
            environment truncates by itself.
        arguments: Of the environment's constructor, for all tasks.
        seed: Seed of the layouts.

    Raises:
        ValueError: When the environment is unknown, or none of MiniGrid's.
        MissingExtraError: When MiniGrid is not installed.
    """

    name = "minigrid"

    def __init__(
        self,
        env_id: str = "MiniGrid-SimpleCrossingS9N1-v0",
        *,
        horizon: int | None = None,
        arguments: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        if not is_installed("minigrid"):
            raise MissingExtraError("a world of MiniGrid", "minigrid", "games")
        import gymnasium
        import minigrid

        gymnasium.register_envs(minigrid)
        if horizon is None:
            horizon = _own_limit(env_id, arguments or {})
        super().__init__(
            env_id, horizon=horizon, one_reset=True, arguments=arguments, seed=seed
        )

    def wrap(self, environment: Any) -> Any:
        """One-hot views and directions in place of numbers and the mission."""
        return _one_hot_view(environment)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        return {n: config[n] for n in ("env_id", "horizon", "arguments", "seed")}


def _own_limit(env_id: str, arguments: Mapping[str, Any]) -> int:
    """Steps after which an environment of MiniGrid truncates by itself."""
    import gymnasium

    from tfmeta.control.varied_environments import known_spec

    known_spec(env_id)
    environment = gymnasium.make(env_id, disable_env_checker=True, **arguments)
    try:
        _check_is_minigrid(environment)
        limit: Any = environment.get_wrapper_attr("max_steps")
        return int(limit)
    finally:
        environment.close()


def _check_is_minigrid(environment: Any) -> None:
    from minigrid.minigrid_env import MiniGridEnv

    if not isinstance(environment.unwrapped, MiniGridEnv):
        raise ValueError(
            "`env_id` must be an environment of MiniGrid. Received: a "
            f"{type(environment.unwrapped).__name__}"
        )


def _one_hot_view(environment: Any) -> Any:
    """An environment that observes its view and its direction, both one-hot."""
    import gymnasium
    import numpy as np
    from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX

    _check_is_minigrid(environment)
    sizes = [len(table) for table in (OBJECT_TO_IDX, COLOR_TO_IDX, STATE_TO_IDX)]
    # An agent's state is its direction, of which there is one more than of a door.
    sizes[2] = max(sizes[2], 4)
    offsets = np.cumsum([0, *sizes[:-1]])
    cells = environment.observation_space["image"].shape[:2]
    space = gymnasium.spaces.Box(
        0.0, 1.0, (int(np.prod(cells)) * sum(sizes) + 4,), np.float32
    )

    def encode(observed: Any) -> np.ndarray:
        view = np.zeros((int(np.prod(cells)), sum(sizes)), np.float32)
        numbers = observed["image"].reshape(len(view), 3).astype(np.int64)
        view[np.arange(len(view))[:, None], numbers + offsets] = 1
        direction = np.eye(4, dtype=np.float32)[observed["direction"]]
        return np.concatenate([view.reshape(-1), direction])

    return gymnasium.wrappers.TransformObservation(environment, encode, space)
