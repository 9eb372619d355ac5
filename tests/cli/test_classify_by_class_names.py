"""`tfmeta classify RUN --classes`."""

import keras
import numpy as np
from PIL import Image

from tfmeta import export
from tfmeta.layers import TermCounts
from tfmeta.learners import ZeroShotPrototypicalNetwork


def test_classes_by_their_names(call, glyphs_run, tmp_path):
    """Of each name one word is known, and the mean colour is the prototype."""
    for name, colour in (("red fox", "red"), ("sky_blue", "blue")):
        (tmp_path / "query" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), colour).save(tmp_path / "query" / name / "1.png")
    words = ["\tfox", "\tgrass", "\tblue"]
    counts = TermCounts(words, np.ones(3), unknown_weight=1e-3, character_ngrams=None)
    known = keras.layers.Dense(3, use_bias=False)
    texts = keras.Sequential([keras.Input((), dtype="string"), counts, known])
    known.set_weights([np.eye(4, 3, dtype="f4")])
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.AveragePooling2D(8)]
    pictures = [keras.Input((8, 8, 3)), *layers, keras.layers.Flatten()]
    learner = ZeroShotPrototypicalNetwork(keras.Sequential(pictures), texts)
    model = export.save(learner, tmp_path / "model")
    asked = ("--classes", "sky_blue, red fox", "--query", tmp_path / "query")
    done = call("classify", model, *asked)
    assert (done.code, done.err) == (0, "")
    assert "accuracy 100.0 % (2 of 2 pictures)" in done.out
    done = call("classify", glyphs_run, *asked)
    assert "must be of a ZeroShotPrototypicalNetwork" in done.error
    assert "Received: one of a PrototypicalNetwork" in done.error
