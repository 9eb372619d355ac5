"""One backbone of `keras.applications`: built, embedding a picture, exported.

In a process of its own: a hundred megabytes of weights and their graphs stay in memory
as long as a process lives. Takes the name, the pixels and a folder.
"""

import sys

import numpy as np
import tensorflow as tf

import tfmeta
from tfmeta.encoders import pretrained
from tfmeta.learners import PrototypicalNetwork


def main(name, size, folder):
    encoder = pretrained(name, weights=None, size=int(size))
    given = np.random.default_rng(0).integers(0, 256, (1, 40, 50, 3), np.uint8)
    embedding = encoder(given).numpy()
    assert embedding.dtype == np.float32 and np.isfinite(embedding).all()
    assert embedding.shape == (1, *encoder.output_shape[1:])
    saved = tfmeta.export.save(PrototypicalNetwork(encoder), folder)
    embed = tf.saved_model.load(str(saved)).signatures["embed"]
    found = embed(examples=tf.constant(given))["embeddings"]
    np.testing.assert_allclose(found, embedding, rtol=1e-4, atol=1e-5)
    print("embedded and exported", *embedding.shape)


if __name__ == "__main__":
    main(*sys.argv[1:])
