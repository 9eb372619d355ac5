"""Encoders that somebody else has trained."""

from tfmeta.encoders.pretrained.features import pretraining_data
from tfmeta.encoders.pretrained.pretrained import pretrained

__all__ = ["pretrained", "pretraining_data"]
