"""Layers that Keras lacks."""

from tfmeta.layers.batch_normalization import BatchNormalization
from tfmeta.layers.batch_statistics import batch_statistics
from tfmeta.layers.cosine_dense import CosineDense
from tfmeta.layers.mean_token_vector import MeanTokenVector
from tfmeta.layers.resized_pictures import ResizedPictures
from tfmeta.layers.rgb_pictures import RGBPictures
from tfmeta.layers.sphere import Sphere
from tfmeta.layers.standardization import Standardization
from tfmeta.layers.term_counts import TermCounts
from tfmeta.layers.weighted_l1 import WeightedL1
from tfmeta.submodules import on_demand

__all__ = [
    "BatchNormalization",
    "CosineDense",
    "MeanTokenVector",
    "RGBPictures",
    "ResizedPictures",
    "Sphere",
    "Standardization",
    "TermCounts",
    "WeightedL1",
    "batch_statistics",
]

__getattr__ = on_demand(__name__)
