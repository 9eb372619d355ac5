"""Environments of Gymnasium that are kept, as many as are stepped at once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfmeta.control.gymnasium_spaces import (
    action_space_of,
    as_environment_takes,
    with_flat_observations,
)
from tfmeta.control.varied_environments import VariedMaker


class PoolStep(NamedTuple):
    """What a step of all environments leads to, each `(environments, ...)`."""

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class EnvironmentPool:
    """Environments in Gymnasium's vector API, made when they are first asked for.

    One is made anew only when it gets other numbers. What has ended waits for the
    others: the vector API would begin it again, of which nothing is told.

    Args:
        maker: Of environments.
        wrap: What is put around each, before observations are flattened.

    Attributes:
        actions: What an agent may do.
        observation_size: Numbers that are observed.
    """

    def __init__(self, maker: VariedMaker, wrap: Callable[[Any], Any]) -> None:
        self._maker = maker
        self._wrap = wrap
        self._lock = threading.RLock()
        self._vectors: dict[int, Any] = {}
        self._values: dict[int, Sequence[Mapping[str, float]]] = {}
        self._turns: dict[int, int] = {}
        self._ended: dict[int, np.ndarray] = {}
        self._last: dict[int, np.ndarray] = {}
        probe = self._make({})
        try:
            self._action_space = probe.action_space
            self.actions = action_space_of(probe.action_space)
            self.observation_size = int(np.prod(probe.observation_space.shape))
        finally:
            probe.close()

    def reset(
        self, values: Sequence[Mapping[str, float]], seeds: list[int]
    ) -> tuple[int, np.ndarray]:
        """Begins anew in as many environments as there are values.

        Args:
            values: What each is made with, by name.
            seeds: Of each reset.

        Returns:
            The turn of the next step, and observations `(environments, size)`.
        """
        count = len(values)
        with self._lock:
            vector = self._vector(values)
            observations, _ = vector.reset(seed=seeds)
            self._ended[count] = np.zeros(count, bool)
            self._turns[count] = self._turns.get(count, 0) + 1
            self._last[count] = self._checked("observations", observations)
            return self._turns[count], self._last[count]

    def step(self, turn: int, actions: np.ndarray) -> tuple[int, PoolStep]:
        """Steps all environments that have not ended.

        Args:
            turn: As `reset` or `step` gave it.
            actions: `(environments, *action)`.

        Raises:
            ValueError: When another rollout has begun in these environments, or they
                give what is not finite.
        """
        count = len(actions)
        with self._lock:
            if turn != self._turns.get(count):
                raise ValueError(
                    "`state` must be that of the last step: environments of Gymnasium "
                    "cannot go back. Received: a state of before another reset or step"
                )
            before = self._ended[count].copy()
            self._turns[count] += 1
            rewards = np.zeros(count)
            terminated, truncated = before.copy(), np.zeros(count, bool)
            if not before.all():
                taken = as_environment_takes(self._action_space, actions)
                found = self._vectors[count].step(taken)
                observations, rewards, terminated, truncated, _ = found
                rewards = np.where(before, 0.0, rewards)
                terminated, truncated = terminated & ~before, truncated & ~before
                flat = np.asarray(observations).reshape(count, -1)
                flat = np.where(before[:, None], self._last[count], flat)
                self._last[count] = self._checked("observations", flat)
                self._checked("rewards", rewards)
                self._ended[count] = before | terminated | truncated
            step = PoolStep(
                self._last[count], rewards.astype(np.float32), terminated, truncated
            )
            return self._turns[count], step

    def close(self) -> None:
        """Closes all environments; they are made again when they are asked for."""
        with self._lock:
            for vector in self._vectors.values():
                vector.close()
            self._vectors.clear()
            self._values.clear()
            # Of the environments that are gone there is no next step.
            self._turns = {count: turn + 1 for count, turn in self._turns.items()}

    def _make(self, values: Mapping[str, float]) -> Any:
        return with_flat_observations(self._wrap(self._maker.make(values)))

    def _vector(self, values: Sequence[Mapping[str, float]]) -> Any:
        """The environments with these numbers."""
        from gymnasium.vector import AutoresetMode, SyncVectorEnv

        count = len(values)
        if count not in self._vectors:
            self._vectors[count] = SyncVectorEnv(
                [functools.partial(self._make, own) for own in values],
                autoreset_mode=AutoresetMode.NEXT_STEP,
                # Bounds of observations may follow the numbers.
                observation_mode="different",
            )
        else:
            vector, former = self._vectors[count], self._values[count]
            for place, own in enumerate(values):
                if own != former[place]:
                    vector.envs[place].close()
                    vector.envs[place] = self._make(own)
        self._values[count] = values
        return self._vectors[count]

    def _checked(self, what: str, found: np.ndarray) -> np.ndarray:
        """Float32 `(environments, ...)`, refused when not finite."""
        values = np.asarray(found, np.float64)
        values = values.reshape(len(values), -1) if what == "observations" else values
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)][0]
            raise ValueError(
                f"{what} of an environment must be finite. Received: {bad}"
            )
        return values.astype(np.float32)
