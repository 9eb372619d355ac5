"""Batches prepared ahead take a bounded memory."""

import time

import tensorflow as tf

from tfmeta.episodes import prefetching
from tfmeta.episodes.prefetching import prefetch


def counted(size, batches):
    """A data set of that many batches, and the numbers of those that were made."""
    made = []

    def make(number):
        made.append(int(number))
        return tf.zeros([size], tf.uint8)

    numbers = tf.data.Dataset.range(batches)
    made_batches = numbers.map(
        lambda n: {"x": tf.ensure_shape(tf.py_function(make, [n], tf.uint8), [size])}
    )
    return made_batches, made


def settled(made):
    """The number of batches made, when it does not change any more."""
    before = -1
    while before != len(made):
        before = len(made)
        time.sleep(0.3)
    return len(made)


def test_large_batches_are_two_small_ones_many(monkeypatch):
    monkeypatch.setattr(prefetching, "_MOST_BYTES", 2560)
    for size, ahead in ((2000, 2), (500, 5), (10, 64)):
        dataset, made = counted(size, ahead + 20)
        batches = iter(prefetch(dataset))
        next(batches)
        # One is handed out, and one more may be in the making.
        assert ahead + 1 <= settled(made) <= ahead + 2


def test_the_batches_are_the_same():
    numbers = tf.data.Dataset.range(100).batch(5, drop_remainder=True)
    assert [b.tolist() for b in prefetch(numbers).as_numpy_iterator()] == [
        b.tolist() for b in numbers.as_numpy_iterator()
    ]
    texts = tf.data.Dataset.from_tensor_slices(["a", "b"])
    assert list(prefetch(texts).as_numpy_iterator()) == [b"a", b"b"]
