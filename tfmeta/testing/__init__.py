"""Checks for anybody's learner; needs no test framework."""

from tfmeta.testing.check_learner import CHECKS, check_learner
from tfmeta.testing.padding import pad_episode
from tfmeta.testing.subject import LearnerCheck, MakeLearner

__all__ = ["CHECKS", "LearnerCheck", "MakeLearner", "check_learner", "pad_episode"]
