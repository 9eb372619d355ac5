"""Served by TensorFlow alone, a memory is told example by example."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import export
from tfmeta.learners import SNAIL, MemoryAugmentedNetwork, MetaNetworks

WAYS, SHAPE = 3, (5, 4, 1)
RNG = np.random.default_rng(0)
SUPPORT = RNG.normal(size=(5, *SHAPE)).astype("float32")
LABELS = np.array([2, 0, 1, 2, 0], "int32")
QUERY = RNG.normal(size=(4, *SHAPE)).astype("float32")


def encoder(*layers):
    return keras.Sequential([keras.Input(SHAPE), *layers, keras.layers.Dense(4)])


LEARNERS = {
    "memory": lambda: MemoryAugmentedNetwork(
        encoder(keras.layers.Flatten()), WAYS, units=5, slots=6, width=3, heads=2
    ),
    "snail": lambda: SNAIL(encoder(keras.layers.Flatten()), WAYS),
    "meta networks": lambda: MetaNetworks(
        encoder(), WAYS, filters=3, blocks=2, features=4, units=3
    ),
}

SCRIPT = """
import sys
sys.modules["keras"] = sys.modules["tfmeta"] = None  # TensorFlow alone.
import numpy as np, tensorflow as tf
folder, model = sys.argv[1:]
served = tf.saved_model.load(model).signatures
support, labels, query = (
    tf.constant(part) for part in np.load(folder + "/task.npz").values()
)
def answer(state):
    return served["classify_adapted"](query=query, **state)["probabilities"].numpy()
whole = answer(served["adapt"](support=support, support_labels=labels))
state = served["begin"]()
try:
    answer(state)
    refusal = ""
except tf.errors.InvalidArgumentError as error:
    refusal = error.message
by_step = []
for n in range(len(labels)):
    row = {"support": support[n : n + 1], "support_labels": labels[n : n + 1]}
    state = served["observe"](**row, **state)
    by_step.append(answer(state))
np.savez(folder + "/answers.npz", whole=whole, by_step=by_step, refusal=refusal)
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", LEARNERS)
def test_one_example_after_the_other_is_all_at_once(name, tmp_path):
    learner = LEARNERS[name]()
    model = export.save(learner, tmp_path / "model")
    np.savez(tmp_path / "task.npz", support=SUPPORT, labels=LABELS, query=QUERY)
    run = [sys.executable, "-c", SCRIPT, str(tmp_path), str(model)]
    subprocess.run(run, check=True, capture_output=True)
    found = np.load(tmp_path / "answers.npz")
    one_hot = tf.one_hot(LABELS, WAYS)[None]
    for count in range(1, 6):
        state = learner.adapt(SUPPORT[None, :count], one_hot[:, :count])
        expected = tf.nn.softmax(learner.predict_query(state, QUERY[None])[0])
        np.testing.assert_allclose(found["by_step"][count - 1], expected, atol=1e-5)
    np.testing.assert_allclose(found["whole"], expected, atol=1e-5)
    # One way is certain where no other was told.
    np.testing.assert_array_equal(found["by_step"][0], [[0, 0, 1]] * 4)
    assert "the state must be one that knows at least one class" in str(
        found["refusal"]
    )


@pytest.mark.slow
def test_a_state_is_of_what_its_specification_says():
    learner = LEARNERS["memory"]()
    endpoints = {e.name: e for e in learner.endpoints(learner.example_spec())}
    parts = learner.state_spec(WAYS)
    assert list(endpoints["begin"].function()) == list(parts)
    names = [spec.name for spec in endpoints["observe"].inputs]
    assert names == [*parts, "support", "support_labels"]
    # A request may hold one class alone, but none that is not there; and of nothing
    # there is no answer.
    state = endpoints["begin"].function()
    answer = endpoints["classify_adapted"].function
    with pytest.raises(tf.errors.InvalidArgumentError, match="knows at least one clas"):
        answer(*state.values(), QUERY)
    one = endpoints["observe"].function(*state.values(), SUPPORT[:1], LABELS[:1])
    np.testing.assert_array_equal(one["present"], [False, False, True])
    answered = answer(*one.values(), QUERY)
    np.testing.assert_array_equal(answered["probabilities"], [[0, 0, 1]] * 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be below 3"):
        endpoints["observe"].function(*state.values(), SUPPORT[:1], tf.constant([3]))
