"""Encoders of the field, as plain Keras models."""

from tfmeta.encoders.conv4 import Conv4
from tfmeta.encoders.koch import KochConvNet
from tfmeta.encoders.mlp import MLP
from tfmeta.encoders.pixels import Pixels
from tfmeta.encoders.pretrained.features import pretraining_data
from tfmeta.encoders.pretrained.pretrained import pretrained
from tfmeta.encoders.projection import Projection
from tfmeta.encoders.series_fcn import SeriesFCN
from tfmeta.encoders.standardized import standardized
from tfmeta.encoders.text import TextEncoder
from tfmeta.encoders.text_transformer import TextTransformer

__all__ = [
    "MLP",
    "Conv4",
    "KochConvNet",
    "Pixels",
    "Projection",
    "SeriesFCN",
    "TextEncoder",
    "TextTransformer",
    "pretrained",
    "pretraining_data",
    "standardized",
]
