"""The predicted memory of a training, against the process that trains."""

import json
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from tfmeta.learners.optimization_based.training_memory import (
    predict_training_memory,
    sequential_peak,
)
from tfmeta.testing.subject import Subject

TRAINING = """
import json, sys
import numpy as np, keras, tensorflow as tf, tfmeta
from tfmeta.learners.optimization_based.training_memory import predict_training_memory

tf.config.threading.set_inter_op_parallelism_threads(2)
tf.config.threading.set_intra_op_parallelism_threads(1)

def status(name):
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(name))
    return int(line.split()[1]) * 1024

def make():
    learner = tfmeta.learners.MAML(
        tfmeta.encoders.Conv4(seed=0),
        5,
        inner_learning_rate=0.1,
        **json.loads(sys.argv[2]),
    )
    learner.compile("adam")
    return learner

labels = np.tile(np.eye(5, dtype="f4"), (4, 1, 1))
inputs = {
    "support": np.ones((4, 5, 28, 28, 1), "f4"),
    "support_labels": labels,
    "query": np.ones((4, 75, 28, 28, 1), "f4"),
}
y = np.tile(np.repeat(np.arange(5), 15), (4, 1))
if sys.argv[1] == "predict":
    print(predict_training_memory(make(), inputs, y))
else:
    learner = make()
    dataset = tf.data.Dataset.from_tensors((inputs, y)).repeat()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew
    before = status("VmRSS")
    learner.fit(dataset, steps_per_epoch=5, verbose=0)
    print(status("VmHWM") - before)
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("arguments", [{"inner_steps": 2}, {"first_order": True}])
def test_is_within_a_quarter_of_what_a_process_grows_by(arguments):
    def run(what):
        command = [sys.executable, "-c", TRAINING, what, json.dumps(arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert run("predict") == pytest.approx(run("fit"), rel=0.25)


def test_the_peak_of_a_graph_by_hand():
    @tf.function(input_signature=[tf.TensorSpec([100], tf.float32)])
    def chain(x):
        wide = tf.tile(x, [10])  # 4,000 bytes
        wider = tf.tile(wide, [2])  # 8,000, beside them
        total = tf.reduce_sum(tf.nn.relu(wider))  # in the place of the 8,000
        return total + tf.reduce_sum(tf.tile(x, [5]))

    assert sequential_peak(chain.get_concrete_function().graph) == 12_000


def test_more_steps_take_more(make_maker):
    def predicted(**arguments):
        made = Subject(make_maker("maml", **arguments), (8,), False)
        learner = made.learner()
        learner.compile("sgd")
        inputs, y = made.batch()
        return predict_training_memory(learner, inputs, y)

    assert predicted(inner_steps=1) < predicted(inner_steps=3)


def test_refuses_what_it_does_not_know(make_maker):
    made = Subject(make_maker("maml", vectorize_tasks=True), (8,), False)
    learner = made.learner()
    inputs, y = made.batch()
    learner.optimizer = None
    with pytest.raises(ValueError, match="must be compiled"):
        predict_training_memory(learner, inputs, y)
    learner.compile(keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="one by one"):
        predict_training_memory(learner, inputs, y)
