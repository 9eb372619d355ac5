import os
import subprocess
import sys

import pytest

# In a process of its own: the devices must be split before TensorFlow starts.
REPLICAS = """
import keras
import numpy as np
import tensorflow as tf

from tfmeta.callbacks.model_state import (
    get_model_state, prepare_model, set_model_state
)

(cpu, *_) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
one = tf.distribute.MirroredStrategy(["CPU:0"])


def build(strategy):
    with strategy.scope():
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.BatchNormalization()]
        )
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    prepare_model(model)
    return model


def copies(strategy, model):
    variables = [*model.variables, *model.optimizer.variables]
    return [
        [copy.numpy().tolist() for copy in strategy.experimental_local_results(v.value)]
        for v in variables
    ]


trained = build(two)
data = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
trained.fit(data, data, batch_size=8, epochs=2, verbose=0)
wanted = copies(two, trained)
# Each replica has normalised by its own part of the batch.
assert sum(first != second for first, second in wanted) == 2
state = get_model_state(trained)
assert set(state) > {"model.2", "model.2.1", "model.3", "model.3.1"}
assert "model.0.1" not in state

resumed = build(two)
set_model_state(resumed, state, "the test")
assert copies(two, resumed) == wanted

# On another number of replicas, the first stands for all.
fewer = build(one)
set_model_state(fewer, state, "the test")
assert copies(one, fewer) == [[first] for first, _ in wanted]
more = build(two)
set_model_state(more, get_model_state(fewer), "the test")
assert copies(two, more) == [[first, first] for first, _ in wanted]
print("passed")
"""


@pytest.mark.slow
def test_every_replica_keeps_its_own_copy():
    finished = subprocess.run(
        [sys.executable, "-c", REPLICAS],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.endswith("passed\n")
