"""Tiny TFDS data sets, made by a program."""

import numpy as np
import tensorflow_datasets as tfds

FEATURES = tfds.features


def picture(number, size=8):
    return np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)


class _Tiny(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    MODULE_PATH = __file__
    supervised = None

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=FEATURES.FeaturesDict(self.features),
            supervised_keys=self.supervised,
        )

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(9)),
            "test": self._generate_examples(range(9, 12)),
        }

    def _generate_examples(self, numbers):
        for number in numbers:
            yield number, self.row(number)


class TinyPictures(_Tiny):
    """Pictures with an identifier beside them, species in families."""

    features = {
        "id": np.int64,
        "photo": FEATURES.Image(shape=(8, 8, 3), encoding_format="png"),
        "species": FEATURES.ClassLabel(names=["wren", "robin", "owl"]),
        "family": FEATURES.ClassLabel(names=["small", "large"]),
    }
    supervised = ("photo", "species")

    def row(self, number):
        species = number % 3
        return {
            "id": number,
            "photo": picture(number),
            "species": species,
            "family": int(species == 2),
        }


class TinyMixedSizes(_Tiny):
    """Pictures of two sizes, in 16-bit grey."""

    features = {
        "image": FEATURES.Image(
            shape=(None, None, 1), dtype=np.uint16, encoding_format="png"
        ),
        "label": FEATURES.ClassLabel(num_classes=2),
    }

    def row(self, number):
        side = 4 + number % 2
        grey = np.full((side, side, 1), 257 * number + 3, np.uint16)
        return {"image": grey, "label": number % 2}


class TinyText(_Tiny):
    """Sentences."""

    features = {
        "sentence": FEATURES.Text(),
        "intent": FEATURES.ClassLabel(names=["ask", "tell"]),
    }

    def row(self, number):
        return {"sentence": f"«{number}» où?", "intent": number % 2}


class TinySeries(_Tiny):
    """Time series."""

    features = {
        "series": FEATURES.Tensor(shape=(5, 2), dtype=np.float32),
        "label": FEATURES.ClassLabel(num_classes=3),
    }

    def row(self, number):
        return {"series": np.full((5, 2), number, np.float32), "label": number % 3}


class TinyTwoTensors(_Tiny):
    """Two tensors and two labels: what is meant has to be said."""

    features = {
        "left": FEATURES.Tensor(shape=(2,), dtype=np.float64),
        "right": FEATURES.Tensor(shape=(None,), dtype=np.int32),
        "a": FEATURES.ClassLabel(num_classes=2),
        "b": FEATURES.ClassLabel(num_classes=3),
    }

    def row(self, number):
        return {
            "left": [number, 0.5],
            "right": np.arange(number, dtype=np.int32),
            "a": number % 2,
            "b": number % 3,
        }


class TinyUnlabelled(_Tiny):
    """Numbers without classes, and a class that is sometimes unknown."""

    features = {"x": FEATURES.Tensor(shape=(2,), dtype=np.float32)}

    def row(self, number):
        return {"x": [number, 0]}


class TinyPartlyLabelled(_Tiny):
    """A class that is sometimes unknown."""

    features = {
        "x": FEATURES.Tensor(shape=(2,), dtype=np.float32),
        "label": FEATURES.ClassLabel(num_classes=2),
    }

    def row(self, number):
        return {"x": [number, 0], "label": number % 2 - 1}
