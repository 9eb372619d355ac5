"""Training defaults that several data sets share, as `Dataset.training` has them."""

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
