"""Environments of Gymnasium's registry that do what others must not."""

import gymnasium
import numpy as np


class Made(gymnasium.Env):
    """A walk on a line: an action adds to where it is, which is observed and paid."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(3, start=-1)

    def __init__(self, stride=1.0):
        self.stride = stride
        self.slope = 2.0
        self.twice = 2 * self.slope
        self.place = 0.0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = float(self.np_random.integers(100))
        return np.array([self.place], np.float32), {}

    def step(self, action):
        self.place += self.stride * float(action)
        seen = np.array([self.place], np.float32)
        return seen, self.twice * self.place, self.place < 0, False, {}


class NaNReward(Made):
    def step(self, action):
        seen, _, *others = super().step(action)
        return seen, float("nan"), *others


class InfiniteObservation(Made):
    def step(self, action):
        _, *others = super().step(action)
        return np.array([np.inf], np.float32), *others


class NoFixedObservation(Made):
    observation_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(3))


class NoFixedAction(Made):
    action_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(3))


class DrawnAnew(Made):
    def reset(self, *, seed=None, options=None):
        self.slope = 7.0
        return super().reset(seed=seed)


class States(Made):
    """One of five places, observed by its number; two real actions."""

    observation_space = gymnasium.spaces.Discrete(5)
    action_space = gymnasium.spaces.Box(
        np.array([[-1.0, 0.0]]), np.array([[1.0, 2.0]]), dtype=np.float64
    )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 2, {}

    def step(self, action):
        # What it was given, to be seen in the reward.
        return 4, float(10 * action[0, 0] + action[0, 1]), False, False, {}


for made in (
    Made,
    NaNReward,
    InfiniteObservation,
    NoFixedObservation,
    NoFixedAction,
    DrawnAnew,
    States,
):
    env_id = f"tfmeta_tests/{made.__name__}-v0"
    if env_id not in gymnasium.registry:
        gymnasium.register(env_id, entry_point=made, max_episode_steps=50)
