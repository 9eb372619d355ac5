"""Few-shot learners: one paper per file, one contract for all."""

# Registers the layers that saved encoders hold, so that
# `keras.saving.load_model` finds them.
import tfmeta.layers  # noqa: F401
from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.metric_based.metric_learner import MetricLearner
from tfmeta.learners.metric_based.prototypical_network import PrototypicalNetwork

__all__ = ["FewShotLearner", "MetricLearner", "PrototypicalNetwork"]
