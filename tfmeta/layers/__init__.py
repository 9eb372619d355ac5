"""Layers that Keras lacks."""

from tfmeta.layers.batch_normalization import BatchNormalization
from tfmeta.layers.sphere import Sphere
from tfmeta.layers.term_counts import TermCounts

__all__ = ["BatchNormalization", "Sphere", "TermCounts"]
