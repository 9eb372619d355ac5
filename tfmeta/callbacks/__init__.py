"""Keras callbacks: resuming bit for bit, stopping at NaN, and one progress bar."""

from tfmeta.callbacks.progress import TrainingProgress
from tfmeta.callbacks.resume import Resume
from tfmeta.callbacks.stop_at_non_finite import (
    NonFiniteTrainingError,
    StopAtNonFinite,
)
from tfmeta.callbacks.whole_model_checkpoint import WholeModelCheckpoint

__all__ = [
    "NonFiniteTrainingError",
    "Resume",
    "StopAtNonFinite",
    "TrainingProgress",
    "WholeModelCheckpoint",
]
