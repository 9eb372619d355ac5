"""Functions of the rows of a batch, of which there may be none."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers import BatchNormalization, WeightedL1, batch_statistics
from tfmeta.layers.empty_batch import apply_to_rows, blank_rows


def double(batch, rows):
    tf.debugging.assert_greater(tf.shape(batch)[0], 0)
    return tf.concat([batch, batch], axis=-1)


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("free", [False, True])
def test_the_function_never_sees_an_empty_batch(rows, free):
    batch = tf.reshape(tf.range(4.0 * rows), [rows, 4])
    spec = tf.TensorSpec([None if free else rows, 4])
    function = tf.function(lambda x: apply_to_rows(double, x), input_signature=[spec])
    for found in (function(batch), apply_to_rows(double, batch)):
        np.testing.assert_array_equal(found, np.concatenate([batch, batch], axis=-1))


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "bool", "string"])
def test_blank_rows_are_of_the_dtype(dtype):
    examples = tf.zeros([0, 2, 3], dtype)
    blank = blank_rows(examples, 2)
    assert blank.dtype == dtype and blank.shape == (2, 2, 3)


def test_the_added_row_does_not_count_in_training():
    layer = BatchNormalization()
    layer.build((None, 3))
    before = [w.numpy() for w in layer.weights]

    def normalize(batch, rows):
        with batch_statistics(rows=rows):
            return layer(batch, training=True)

    found = apply_to_rows(normalize, tf.zeros([0, 3]), training=True)
    assert found.shape == (0, 3)
    for ours, theirs in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shapes", [((2, 0, 3), (2, 4, 3)), ((0, 2, 3), (0, 4, 3))])
def test_scores_of_no_rows(shapes):
    layer = WeightedL1()
    first, second = (tf.zeros(shape) for shape in shapes)
    free = [tf.TensorSpec([None, None, 3])] * 2
    score = tf.function(lambda a, b: layer((a, b)), input_signature=free)
    for found in (layer((first, second)), score(first, second)):
        assert found.shape == (*shapes[0][:2], shapes[1][1])
