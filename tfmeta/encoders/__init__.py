"""Encoders of the field, as plain Keras models."""

from tfmeta.encoders.conv4 import Conv4

__all__ = ["Conv4"]
