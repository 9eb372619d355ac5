"""Training defaults that several data sets share, as a `Dataset` has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NATURAL_PICTURES: Mapping[str, Any] = {
    "train_ways": 20,
    "train_shots": 5,
    "train_queries": 10,
    "ways": 5,
    "shots": 5,
    "validation_episodes": 200,
    "epochs": 20,
    "steps_per_epoch": 100,
    "augment": True,
}

# By `benchmarks/photo_defaults.py`: the best at equal time from random weights, on
# validation classes of miniImageNet and of a folder. Encoders that were trained on
# ImageNet are better, and have seen the classes of these data sets, or ones like them.
NATURAL_LEARNERS = ("baseline_plus_plus",)
# Of the user's own: the first needs an extra, and no training.
PHOTOGRAPH_LEARNERS = ("logistic_regression", *NATURAL_LEARNERS)
