import numpy as np
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.runs.data import light_ground


def own_table(examples):
    labels = np.arange(len(examples)) // 5
    return ClassTable.from_arrays("own", examples, [f"class{n:03d}" for n in labels])


def test_a_ground_is_named_where_it_is_clear(glyphs):
    rng = np.random.default_rng(0)
    ink = np.asarray(glyphs.examples)[:200]
    assert light_ground(own_table(ink)) is False
    assert light_ground(own_table(255 - ink)) is True
    assert light_ground(own_table((255 - ink) * np.uint16(257))) is True
    one_wrong = 255 - ink
    one_wrong[7] = ink[7]
    assert light_ground(own_table(one_wrong)) is True
    both = ink.copy()
    both[::4] = 255 - both[::4]
    shares = rng.uniform(0.2, 0.8, (200, 1, 1, 1))
    two_levels = np.where(rng.random((200, 28, 28, 1)) < shares, 225, 30)
    small = rng.uniform(0, 255, (200, 6, 6)).astype(np.uint8)
    photographs = [np.asarray(Image.fromarray(p).resize((28, 28))) for p in small]
    for unclear in (
        *(both, two_levels.astype(np.uint8), np.array(photographs)[..., None]),
        *(ink.repeat(3, axis=3), 255 - ink.repeat(3, axis=3)),
        *(ink.astype("float32") / 255, ink[..., 0]),
    ):
        assert light_ground(own_table(unclear)) is None
