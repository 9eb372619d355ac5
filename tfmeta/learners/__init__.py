"""Few-shot learners: one paper per file, one contract for all."""

from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.metric_based.metric_learner import MetricLearner
from tfmeta.learners.metric_based.prototypical_network import PrototypicalNetwork

__all__ = ["FewShotLearner", "MetricLearner", "PrototypicalNetwork"]
