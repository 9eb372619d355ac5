import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners.optimization_based.task_map import map_tasks


def test_autograph_can_transform_it():
    assert callable(tf.autograph.to_graph(map_tasks))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("count", [0, 3])
def test_any_number_of_tasks(count, known):
    tasks = np.arange(2.0 * count, dtype=np.float32).reshape(count, 2)
    shape = tf.TensorSpec([count if known else None, 2], tf.float32)

    @tf.function(input_signature=[shape])
    def sums(tasks):
        return map_tasks(tf.reduce_sum, tasks, tf.TensorSpec((), tf.float32))

    np.testing.assert_array_equal(sums(tasks), tasks.sum(1))
