"""Keras callbacks: resuming bit for bit, and one progress bar."""

from tfmeta.callbacks.progress import TrainingProgress
from tfmeta.callbacks.resume import Resume

__all__ = ["Resume", "TrainingProgress"]
