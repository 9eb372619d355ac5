"""Rules that turn gradients of the support loss into new parameters."""

from tfmeta.learners.optimization_based.inner_rules.adam import Adam, CarriedAdam
from tfmeta.learners.optimization_based.inner_rules.gradient_descent import (
    GradientDescent,
)
from tfmeta.learners.optimization_based.inner_rules.learned_rates import (
    PerParameterRates,
    PerStepRates,
)
from tfmeta.learners.optimization_based.inner_rules.rule import InnerRule, Parameters

__all__ = [
    "Adam",
    "CarriedAdam",
    "GradientDescent",
    "InnerRule",
    "Parameters",
    "PerParameterRates",
    "PerStepRates",
]
