"""Keras callbacks."""

from tfmeta.callbacks.resume import Resume

__all__ = ["Resume"]
