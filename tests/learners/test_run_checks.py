"""What is refused before the first step: shares of replicas, and numbers of steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.callbacks import Resume
from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, as_supervised
from tfmeta.learners import MAML, Baseline, PrototypicalNetwork

SCRIPT = Path(__file__).with_name("uneven_shares.py")
WAYS = 3


def results_of(folder, *names):
    file = folder / "results.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(file), *names],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return results_of(tmp_path_factory.mktemp("shares"), "maml", "reptile")


def check_refusals(found):
    for name in ("even", "even, size unknown"):
        assert found.pop(name)["error"] is None
    assert found.pop("finite")
    assert len(found) == 9
    for name, act in found.items():
        assert act["error"] == "ValueError", name
        tasks = 3 if "3" in name or name in ("fit arrays", "validation") else None
        tasks = {"evaluate": 3, "predict, size unknown": 3}.get(name, tasks or 1)
        assert act["message"] == (
            "`tasks` must be a multiple of the 2 replicas, which share the tasks of a "
            "batch and average over their own. Write Episodes(..., tasks=2), or a "
            f"multiple of that. Received tasks: {tasks}"
        ), name
        assert not act["moved"], name


# Those with a step of training of their own.
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["maml", "reptile"])
def test_tasks_that_replicas_cannot_share_are_refused(results, name):
    check_refusals(results[name])


@pytest.mark.exhaustive
def test_of_other_learners_too(tmp_path):
    names = ("prototypical", "siamese", "anil")
    found = results_of(tmp_path, *names)
    for name in names:
        check_refusals(found[name])


@pytest.mark.exhaustive
def test_ordinary_batches_are_shared_evenly_or_refused(results):
    found = results["baseline"]
    assert found["uneven"]["error"] == "ValueError"
    assert found["uneven"]["message"] == (
        "`batch_size` must be a multiple of the 2 replicas, which share the examples "
        "of a batch and average over their own. Write batch_size=2, or a multiple of "
        "that, with drop_remainder=True. Received examples: 5"
    )
    assert found["even"]["error"] is None
    assert found["difference"] < 1e-6


@pytest.mark.exhaustive
@pytest.mark.parametrize("size", [5, 47])
def test_ordinary_batches_are_measured_as_on_one_device(results, size):
    """Every example counts by itself, whichever replica has it."""
    one, two = results["baseline"][f"measured {size}"]
    assert two == pytest.approx(one, rel=1e-5)
    assert results["baseline"][f"logits {size}"] < 1e-5


# Steps.


def encoder():
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])


def table():
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(48, 6)).astype("float32")
    return ClassTable.from_arrays("toy", examples, [f"{i // 6}" for i in range(48)])


def episodes(steps=None):
    return Episodes(table(), ways=WAYS, shots=2, queries=3, tasks=2).as_dataset(
        steps=steps
    )


def counted(data):
    """The data set, and a list that grows by 1 with each batch that is drawn."""
    drawn = []

    def draw(*batch):
        drawn.append(1)
        return np.int64(0)

    def mark(inputs, y):
        number = tf.ensure_shape(tf.numpy_function(draw, [], tf.int64), [])
        return inputs, y + tf.cast(number, y.dtype)

    # Nothing is to be drawn ahead of what a step takes.
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    return data.map(mark).with_options(options), drawn


def compiled(kind=PrototypicalNetwork, at_once=5):
    learner = kind(encoder(), *([WAYS] if kind is MAML else []))
    learner.compile(
        keras.optimizers.SGD(0.1), steps_per_execution=at_once, jit_compile=False
    )
    return learner


@pytest.mark.parametrize("kind", [PrototypicalNetwork, MAML])
def test_steps_that_keras_would_round_up_are_refused(kind):
    learner = compiled(kind)
    words = (
        "`{0}` must be a multiple of steps_per_execution=5: Keras would run 15 steps. "
        "Write compile.*steps_per_execution=1.*Received: {0}=12"
    )
    with pytest.raises(ValueError, match=words.format("steps_per_epoch")):
        learner.fit(episodes(), steps_per_epoch=12, verbose=0)
    with pytest.raises(ValueError, match=words.format("validation_steps")):
        learner.fit(
            episodes(),
            steps_per_epoch=5,
            validation_data=episodes(),
            validation_steps=12,
            verbose=0,
        )
    for verb in (learner.evaluate, learner.predict):
        with pytest.raises(ValueError, match=words.format("steps")):
            verb(episodes(), steps=12, verbose=0)
    assert int(learner.optimizer.iterations) == 0


def test_steps_are_those_that_are_asked_for():
    learner = compiled()
    data, drawn = counted(episodes())
    held, seen = counted(episodes())
    learner.fit(
        data,
        steps_per_epoch=10,
        epochs=2,
        validation_data=held,
        validation_steps=5,
        verbose=0,
        shuffle=False,
    )
    assert int(learner.optimizer.iterations) == len(drawn) == 20
    assert len(seen) == 2 * 5


def test_data_that_ends_by_itself_is_not_rounded():
    learner = compiled()
    learner.fit(episodes(12), epochs=2, verbose=0, shuffle=False)
    assert int(learner.optimizer.iterations) == 24
    assert learner.predict(episodes(7), verbose=0).shape == (14, 9, WAYS)


@pytest.mark.parametrize(
    ("data", "steps"), [(episodes(12), None), (episodes(), 12)], ids=["ends", "endless"]
)
def test_resume_counts_no_batches_that_were_not_drawn(tmp_path, data, steps):
    model = encoder()
    model.compile("sgd", "mse", steps_per_execution=5)
    pairs = data.map(lambda inputs, y: (inputs["query"][0], inputs["query"][0, :, :3]))
    resume = Resume(tmp_path)
    resume.restore(model)
    with pytest.raises(ValueError, match="as a multiple of steps_per_execution=5"):
        model.fit(
            pairs, steps_per_epoch=steps, callbacks=[resume], verbose=0, shuffle=False
        )
    assert int(model.optimizer.iterations) == resume.step == 0


@pytest.mark.parametrize("known", [True, False])
def test_a_batch_without_a_task_is_refused(known):
    """Its loss would be the mean of nothing, and so would the weights be."""
    learner = compiled(MAML, at_once=1)
    inputs, y = next(iter(episodes(1)))
    empty = ({name: part[:0] for name, part in inputs.items()}, y[:0])
    data = tf.data.Dataset.from_tensors(empty)
    if not known:
        signature = tf.nest.map_structure(
            lambda part: tf.TensorSpec([None, *part.shape[1:]], part.dtype), empty
        )
        data = tf.data.Dataset.from_generator(
            lambda: iter([empty]), output_signature=signature
        )
    with pytest.raises(
        (ValueError, tf.errors.InvalidArgumentError),
        match="`inputs` must hold at least one task",
    ):
        learner.fit(data, verbose=0)
    assert all(np.isfinite(w).all() for w in learner.get_weights())


def test_classes_have_no_weights_in_episodes():
    learner = compiled(at_once=1)
    with pytest.raises(ValueError, match="`class_weight` must be None for episodes"):
        learner.fit(episodes(2), class_weight={0: 2.0}, verbose=0)
    baseline = Baseline(encoder(), 8)
    baseline.compile("sgd")
    x, y = next(iter(as_supervised(table(), batch_size=48, seed=0)))
    weight = {i: float(i) for i in range(8)}
    baseline.fit(x.numpy(), y.numpy(), class_weight=weight, batch_size=48, verbose=0)


def test_steps_that_keras_chooses_itself_are_refused():
    learner = compiled(at_once="auto")
    with pytest.raises(ValueError, match="`steps_per_execution`.*'auto'"):
        learner.fit(episodes(), steps_per_epoch=12, verbose=0)
