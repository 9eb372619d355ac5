"""What two replicas do with batches that they cannot share; to a JSON file.

Run as `python uneven_shares.py results.json NAME ...`, in a process of its own: the
number of logical devices is fixed when TensorFlow starts.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, as_supervised
from tfmeta.learners import (
    ANIL,
    MAML,
    Baseline,
    PrototypicalNetwork,
    Reptile,
    SiameseNetwork,
)

WAYS = 3


def encoder():
    kernels = [keras.initializers.GlorotUniform(seed=i) for i in (1, 2)]
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, "tanh", kernel_initializer=kernels[0]),
            keras.layers.Dense(4, kernel_initializer=kernels[1]),
        ]
    )


LEARNERS = {
    "prototypical": lambda: PrototypicalNetwork(encoder()),
    "siamese": lambda: SiameseNetwork(encoder()),
    "maml": lambda: MAML(encoder(), WAYS, seed=0),
    "reptile": lambda: Reptile(encoder(), WAYS, inner_steps=2, seed=0),
    "anil": lambda: ANIL(encoder(), WAYS, seed=0),
    "baseline": lambda: Baseline(encoder(), 8, head_steps=2, seed=0),
}


def table():
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(48, 6)).astype("float32")
    return ClassTable.from_arrays("toy", examples, [f"{i // 6}" for i in range(48)])


def episodes(tasks, *, known=True, steps=2):
    data = Episodes(table(), ways=WAYS, shots=2, queries=3, tasks=tasks).as_dataset(
        steps=steps
    )
    return data if known else unknown(data)


def unknown(data):
    """The same batches, without a size that is known before."""

    def widen(spec):
        return tf.TensorSpec([None, *spec.shape[1:]], spec.dtype)

    return tf.data.Dataset.from_generator(
        lambda: iter(data),
        output_signature=tf.nest.map_structure(widen, data.element_spec),
    )


def plain(size, rows=8):
    # Sizes are not known before: the last one is what remains.
    return as_supervised(table(), batch_size=size, seed=0, epochs=1).take(rows)


def trial(act):
    try:
        act()
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {"error": None, "message": ""}


def refusals(make, strategy):
    """Of each way in, what came and how the weights moved."""
    found = {}
    with strategy.scope():
        learner = make()
        learner.compile(keras.optimizers.SGD(0.1))
    arrays = Episodes(table(), ways=WAYS, shots=2, queries=3, tasks=3).batch(0)
    arrays = tf.nest.map_structure(np.array, arrays)
    ways_in = {
        "fit": lambda: learner.fit(episodes(1), verbose=0),
        "fit of 3": lambda: learner.fit(episodes(3), verbose=0),
        "fit, size unknown": lambda: learner.fit(episodes(1, known=False), verbose=0),
        "fit arrays": lambda: learner.fit(*arrays, verbose=0),
        "validation": lambda: learner.fit(
            episodes(2), validation_data=episodes(3), verbose=0
        ),
        "evaluate": lambda: learner.evaluate(episodes(3), verbose=0),
        "evaluate, size unknown": lambda: learner.evaluate(
            episodes(1, known=False), verbose=0
        ),
        "predict": lambda: learner.predict(episodes(1), verbose=0),
        "predict, size unknown": lambda: learner.predict(
            episodes(3, known=False), verbose=0
        ),
    }
    for name, act in ways_in.items():
        before = learner.get_weights()
        found[name] = trial(act)
        found[name]["moved"] = not all(
            (a == b).all() for a, b in zip(before, learner.get_weights(), strict=True)
        )
    found["even"] = trial(lambda: learner.fit(episodes(2), verbose=0))
    found["even, size unknown"] = trial(
        lambda: learner.fit(episodes(4, known=False), verbose=0)
    )
    found["finite"] = all(np.isfinite(w).all() for w in learner.get_weights())
    return found


def baseline(strategy):
    """Ordinary batches: what is trained on must be even, what is measured not."""
    with strategy.scope():
        two = LEARNERS["baseline"]()
        two.compile(keras.optimizers.SGD(0.1))
    one = LEARNERS["baseline"]()
    one.compile(keras.optimizers.SGD(0.1))
    one.set_weights(two.get_weights())
    found = {"uneven": trial(lambda: two.fit(plain(5), verbose=0))}
    two.set_weights(one.get_weights())
    found["even"] = trial(lambda: two.fit(plain(6), verbose=0))
    one.fit(plain(6), verbose=0)
    pairs = zip(one.get_weights(), two.get_weights(), strict=True)
    found["difference"] = float(max(np.abs(a - b).max() for a, b in pairs))
    # The last batch has three examples of 48, and one: an empty share.
    for size in (5, 47):
        measured = [
            m.evaluate(plain(size, 10), verbose=0, return_dict=True) for m in (one, two)
        ]
        found[f"measured {size}"] = measured
        logits = [m.predict(plain(size, 10), verbose=0) for m in (one, two)]
        found[f"logits {size}"] = float(np.abs(logits[0] - logits[1]).max())
    return found


def main(path, *names):
    (cpu,) = tf.config.list_physical_devices("CPU")
    logical = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [logical, logical])
    # One for all: TensorFlow mixes up the collectives of several.
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {name: refusals(LEARNERS[name], strategy) for name in names}
    found["baseline"] = baseline(strategy)
    with open(path, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
