"""Environments of Gymnasium as a family of tasks."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.control.environment_pool import EnvironmentPool
from tfmeta.control.task_family import (
    EnvironmentState,
    Step,
    TaskFamily,
    TaskParameters,
)
from tfmeta.control.task_seeds import task_seeds, task_uniform
from tfmeta.control.varied_environments import VariedMaker
from tfmeta.episodes.arguments import check_count
from tfmeta.episodes.streams import check_seed

_STREAM = 0x6779
RESET_SEED = "reset_seed"


@keras.saving.register_keras_serializable(package="tfmeta")
class GymnasiumFamily(TaskFamily):
    """An environment of Gymnasium (Towers et al. 2024) with numbers of each task's own.

    Numbers are uniform between two bounds, and reach the environment as `VariedMaker`
    says. As many environments as are stepped at once are made once, in Gymnasium's own
    vector API, and kept; a graph calls them one step after the other. They terminate
    and truncate as Gymnasium defines it, and are truncated at the horizon. Observations
    are flattened, actions clipped to their bounds.

    Args:
        env_id: Id of the environment, as for `gymnasium.make`.
        varied: Least and greatest of each number, by name: an argument of the
            environment's constructor, or an attribute that it sets.
        horizon: Steps of a trajectory, at most; `None` for those that the environment
            is registered with, which are the most.
        one_reset: Whether all trajectories of a task begin alike: every reset has the
            seed of its task.
        arguments: Of the environment's constructor, for all tasks.
        seed: Seed of the numbers.

    Raises:
        ValueError: When the environment is unknown, has no fixed observation or action
            shape, or no such number; in one line.
        MissingExtraError: When Gymnasium is not installed.

    Example:

    ```python
    family = GymnasiumFamily(
        "CartPole-v1",
        varied={"length": (0.25, 1.0), "gravity": (5.0, 15.0)},
        horizon=200,
        seed=0,
    )
    ```
    """

    name = "gymnasium"
    supports_jit = False  # XLA knows no Python.

    def __init__(
        self,
        env_id: str,
        *,
        varied: Mapping[str, tuple[float, float]] | None = None,
        horizon: int | None = None,
        one_reset: bool = False,
        arguments: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.env_id = env_id
        self.varied = {n: _range_of(n, pair) for n, pair in (varied or {}).items()}
        if horizon is not None:
            check_count("horizon", horizon, 1)
        self.one_reset = one_reset
        self.arguments = dict(arguments or {})
        self.seed = check_seed(seed)
        maker = VariedMaker(env_id, tuple(self.varied), horizon, self.arguments)
        self.horizon = maker.horizon
        self.pool = EnvironmentPool(maker, self.wrap)
        self.actions = self.pool.actions
        self.observation_size = self.pool.observation_size

    def wrap(self, environment: Any) -> Any:
        """What is put around every environment; nothing, unless a subclass does."""
        return environment

    def tasks(self, numbers: tf.Tensor) -> TaskParameters:
        """Numbers `(tasks,)` by name, and `reset_seed`; see `TaskFamily.tasks`."""
        found = {}
        for name, (low, high) in self.varied.items():
            # Of a number's own stream: it does not depend on what else varies.
            stream = _STREAM + zlib.crc32(name.encode())
            drawn = task_uniform(task_seeds(self.seed, stream, numbers), 1)[:, 0]
            found[name] = low + (high - low) * drawn
        halves = task_uniform(task_seeds(self.seed, _STREAM, numbers), 2)
        high, low = tf.unstack(tf.cast(halves * 2.0**15, tf.int64), axis=1)
        found[RESET_SEED] = high * 2**15 + low
        return found

    def reset(
        self, tasks: TaskParameters, trajectories: int, seed: tf.Tensor
    ) -> tuple[EnvironmentState, tf.Tensor]:
        """Begins in the environments of the pool; see `TaskFamily.reset`."""
        names = list(self.varied)

        def begin(
            seed: np.ndarray, of_tasks: np.ndarray, *columns: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            rows = zip(*(column.tolist() for column in columns), strict=True)
            each = [dict(zip(names, row, strict=True)) for row in rows] if names else []
            each = each or [{} for _ in of_tasks]
            values = [own for own in each for _ in range(trajectories)]
            if self.one_reset:
                seeds = np.repeat(of_tasks, trajectories)
            else:
                entropy = [int(part) & 0xFFFFFFFF for part in seed]
                seeds = np.random.SeedSequence(entropy).generate_state(len(values))
            turn, seen = self.pool.reset(values, [int(own) for own in seeds])
            shape = (len(of_tasks), trajectories)
            return np.full(shape, turn, np.int64), seen.reshape(*shape, -1)

        columns = [tasks[name] for name in names]
        turn, observations = tf.numpy_function(
            begin, [seed, tasks[RESET_SEED], *columns], [tf.int64, tf.float32]
        )
        known = [tasks[RESET_SEED].shape[0], trajectories]
        turn = tf.ensure_shape(turn, known)
        seen = tf.ensure_shape(observations, [*known, self.observation_size])
        return {"turn": turn}, seen

    def step(
        self,
        tasks: TaskParameters,
        state: EnvironmentState,
        actions: tf.Tensor,
        seed: tf.Tensor,
    ) -> Step:
        """Steps the environments of the pool; see `TaskFamily.step`.

        The turn, which a step takes and gives, keeps the steps of a graph in order. A
        state can be gone on from once.
        """

        def go_on(turn: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, ...]:
            flat = actions.reshape(-1, *self.actions.shape)
            following, found = self.pool.step(int(turn.flat[0]), flat)
            parts = (part.reshape(*turn.shape, *part.shape[1:]) for part in found)
            return (np.full(turn.shape, following, np.int64), *parts)

        dtypes = [tf.int64, tf.float32, tf.float32, tf.bool, tf.bool]
        turn, observations, *others = tf.numpy_function(
            go_on, [state["turn"], actions], dtypes
        )
        known = state["turn"].shape
        rewards, terminated, truncated = (tf.ensure_shape(o, known) for o in others)
        return Step(
            {"turn": tf.ensure_shape(turn, known)},
            tf.ensure_shape(observations, [*known, self.observation_size]),
            rewards,
            terminated,
            truncated,
        )

    def context(self, tasks: TaskParameters) -> tf.Tensor:
        """Numbers of each task from -1 to 1, in the order of `varied`."""
        parts = [
            2 * (tasks[name] - low) / max(high - low, 1e-12) - 1
            for name, (low, high) in self.varied.items()
        ]
        if parts:
            return tf.stack(parts, axis=1)
        return tf.zeros([tf.shape(tasks[RESET_SEED])[0], 0])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "env_id": self.env_id,
            "varied": {name: list(pair) for name, pair in self.varied.items()},
            "horizon": self.horizon,
            "one_reset": self.one_reset,
            "arguments": self.arguments,
            "seed": self.seed,
        }


def _range_of(name: str, pair: Any) -> tuple[float, float]:
    """Least and greatest of a number."""
    if (
        not isinstance(pair, tuple | list)
        or len(pair) != 2
        # Also false for NaN.
        or not -float("inf") < pair[0] <= pair[1] < float("inf")
    ):
        raise ValueError(
            f"`varied[{name!r}]` must be a pair (least, greatest) of finite numbers. "
            f"Received: {pair!r}"
        )
    return float(pair[0]), float(pair[1])
