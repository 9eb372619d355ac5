"""Trains on two replicas and on one device; writes what came out to a file.

Run as `python distributed_training.py results.npz`, in a process of its own: the
number of logical devices is fixed when TensorFlow starts.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.learners import PrototypicalNetwork


def make_learner():
    kernels = [keras.initializers.GlorotUniform(seed=i) for i in (1, 2)]
    encoder = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, "tanh", kernel_initializer=kernels[0]),
            keras.layers.Dense(4, kernel_initializer=kernels[1]),
        ]
    )
    learner = PrototypicalNetwork(encoder)
    # Plain SGD: a loss that is twice as large doubles its step, where Adam would
    # hide it.
    learner.compile(keras.optimizers.SGD(0.5))
    return learner


def results(learner, table):
    train = Episodes(table, ways=3, shots=2, queries=3, tasks=4)
    other = Episodes(table, ways=(2, 5), shots=(1, 2), queries=3, tasks=4, seed=1)
    history = learner.fit(
        train.as_dataset(),
        steps_per_epoch=3,
        epochs=2,
        validation_data=train.as_dataset(start=10, steps=2),
        verbose=0,
        shuffle=False,
    ).history
    padded = other.as_dataset(steps=3)
    found = {name: np.array(values) for name, values in history.items()}
    found["padded_accuracy"] = learner.evaluate(padded, verbose=0, return_dict=True)[
        "accuracy"
    ]
    found["logits"] = learner.predict(padded, verbose=0)
    for i, weight in enumerate(learner.get_weights()):
        found[f"weight_{i}"] = weight
    return found


def main(path):
    (cpu,) = tf.config.list_physical_devices("CPU")
    logical = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [logical, logical])
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(48, 6)).astype("float32")
    table = ClassTable.from_arrays("toy", examples, [f"{i // 6}" for i in range(48)])

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        learner = make_learner()
    start = learner.get_weights()
    two = results(learner, table)
    one = results(make_learner(), table)
    np.savez(
        path,
        replicas=strategy.num_replicas_in_sync,
        **{f"two_{name}": value for name, value in two.items()},
        **{f"one_{name}": value for name, value in one.items()},
        **{f"start_weight_{i}": weight for i, weight in enumerate(start)},
    )


if __name__ == "__main__":
    main(sys.argv[1])
