"""Rules that turn gradients of the support loss into updates, and chain."""

from tfmeta.learners.inner_rules.adam import Adam, CarriedAdam
from tfmeta.learners.inner_rules.chain import chain
from tfmeta.learners.inner_rules.learned_rates import PerParameterRates, PerStepRates
from tfmeta.learners.inner_rules.lstm import LSTMRule
from tfmeta.learners.inner_rules.rule import (
    InnerRule,
    Parameters,
    Replaced,
    Updates,
    apply_updates,
)
from tfmeta.learners.inner_rules.running_mean import RunningMean
from tfmeta.learners.inner_rules.scaling import ClipByNorm, DecayWeights, Scale

__all__ = [
    "Adam",
    "CarriedAdam",
    "ClipByNorm",
    "DecayWeights",
    "InnerRule",
    "LSTMRule",
    "Parameters",
    "PerParameterRates",
    "PerStepRates",
    "Replaced",
    "RunningMean",
    "Scale",
    "Updates",
    "apply_updates",
    "chain",
]
