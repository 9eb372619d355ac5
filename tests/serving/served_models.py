"""Galleries and SavedModels of tiny learners, to be served."""

import contextlib

import keras
import numpy as np

import tfmeta
from tfmeta.encoders import Conv4
from tfmeta.evaluation.threshold import Threshold
from tfmeta.layers import ResizedPictures, TermCounts
from tfmeta.learners import MAML, PrototypicalNetwork

POINTS = {
    "left": np.array([[-1.0, 0], [-1, 1], [-2, 0]], np.float32),
    "right": np.array([[1.0, 0], [1, 1], [2, 0]], np.float32),
}


def _identity():
    return keras.Sequential([keras.Input((2,)), keras.layers.Identity()])


def _conv4():
    return Conv4((8, 8, 1), filters=4, blocks=1, seed=0)


def drawings(number, seed, size=8):
    """Grey pictures of random blocks, uint8 `(number, size, size, 1)`."""
    coarse = np.random.default_rng(seed).integers(0, 256, (number, 4, 4, 1))
    blocks = coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2)
    return blocks.astype(np.uint8)


def _points(path):
    with tfmeta.Gallery.create(path, PrototypicalNetwork(_identity())) as gallery:
        gallery.enrol(POINTS)


def _drawings(path):
    with tfmeta.Gallery.create(path, PrototypicalNetwork(_conv4())) as gallery:
        gallery.enrol({"a": drawings(3, 1), "b": drawings(3, 2)})


def _frozen(path):
    _points(path.parent / "to freeze")
    with contextlib.closing(tfmeta.Gallery(path.parent / "to freeze")) as gallery:
        gallery.export(path)


def _texts(path):
    words = ["\tpay", "\tbill", "\tship", "\tparcel"]
    counts = TermCounts(words, np.ones(4), unknown_weight=1e-3, character_ngrams=None)
    encoder = keras.Sequential([keras.Input((), dtype="string"), counts])
    tfmeta.export.save(PrototypicalNetwork(encoder), path)


def _photos(path):
    layers = [
        keras.Input((None, None, 3)),
        ResizedPictures(8),
        keras.layers.Rescaling(1 / 255),
        keras.layers.AveragePooling2D(4),
        keras.layers.Flatten(),
    ]
    learner = PrototypicalNetwork(keras.Sequential(layers))
    tfmeta.export.save(learner, path, input_dtype="uint8")


def _maml(path):
    layers = [keras.Input((2,)), keras.layers.Dense(4, "tanh")]
    learner = MAML(keras.Sequential(layers), 3, inner_steps=1, seed=0)
    tfmeta.export.save(learner, path)


def _thresholds(path):
    protocol = {"table": "x", "fingerprint": "", "queries": 1, "episodes": 1}
    thresholds = [
        Threshold("logit", value, 0.9, {}, protocol | {"ways": ways, "shots": 1})
        for ways, value in ((9, 1e9), (2, -1.0))
    ]
    learner = PrototypicalNetwork(_identity())
    tfmeta.export.save(learner, path, open_set_thresholds=thresholds)


MAKERS = {
    "points": _points,
    "drawings": _drawings,
    "frozen": _frozen,
    "texts": _texts,
    "photos": _photos,
    "pictures": lambda path: tfmeta.export.save(PrototypicalNetwork(_conv4()), path),
    "maml": _maml,
    "thresholds": _thresholds,
}


class Made:
    """The folder of each of them, by its name, made when it is first asked for."""

    def __init__(self, root):
        self.root = root

    def __truediv__(self, name):
        path = self.root / name
        if not path.exists():
            keras.utils.set_random_seed(0)
            MAKERS[name](path)
        return path
