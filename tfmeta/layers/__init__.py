"""Layers that Keras lacks."""

from tfmeta.layers.batch_normalization import BatchNormalization

__all__ = ["BatchNormalization"]
