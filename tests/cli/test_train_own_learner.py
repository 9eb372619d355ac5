"""A learner in a file of its own, named by one line or by its path."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.registry import LEARNERS, LearnerEntry
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

PATH = "toy_learner:SharpPrototypes"
SHORT = (
    *("--epochs", 1, "--steps-per-epoch", 2, "--filters", 4, "--queries", 2),
    *("--validation-episodes", 4, "--test-episodes", 600),
)


@pytest.fixture
def run(call, monkeypatch, tmp_path, request):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    learner = PATH
    if request.param == "registered":
        entry = LearnerEntry(PATH, "Sharp Network", defaults={"train_ways": 6})
        monkeypatch.setitem(LEARNERS, "sharp", entry)
        learner = "sharp"
    folder = RunFolder(tmp_path / "run")
    done = call(
        *("train", "--learner", learner, "--argument", "sharpness=3"),
        *("--run", folder.path, *SHORT),
    )
    assert (done.code, done.err) == (0, "")
    return folder, done.out


@pytest.mark.slow
@pytest.mark.parametrize("run", ["registered"], indirect=True)
def test_one_line_of_the_registry_is_enough(run):
    folder, out = run
    # The title, and the default of its own that goes before the data set's.
    assert out.startswith("Training a Sharp Network on glyphs: 6-way 1-shot, 2 steps")
    learner = load_learner(folder)
    assert type(learner).__name__ == "SharpPrototypes" and learner.sharpness == 3
    served = tf.saved_model.load(str(folder.saved_model / "1")).signatures["classify"]
    pictures = np.random.default_rng(0).integers(0, 256, (7, 28, 28, 1), np.uint8)
    support, query, labels = pictures[:4], pictures[4:], np.array([0, 1, 1, 0])
    answer = served(
        support=tf.constant(support),
        support_labels=tf.constant(labels, tf.int32),
        query=tf.constant(query),
    )["probabilities"]
    state = learner.adapt(support[None], np.eye(2, dtype=np.float32)[labels][None])
    logits = learner.predict_query(state, query[None])[0]
    np.testing.assert_allclose(answer, tf.nn.softmax(logits), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("run", ["path"], indirect=True)
def test_the_path_of_its_class_will_do(run, monkeypatch):
    folder, out = run
    assert out.startswith("Training a SharpPrototypes on glyphs: 40-way 1-shot")
    assert folder.read_config().learner == PATH
    # As in a process that has not imported it.
    keras.saving.get_custom_objects().pop("toy>SharpPrototypes")
    monkeypatch.delitem(sys.modules, "toy_learner")
    assert type(load_learner(folder)).__name__ == "SharpPrototypes"
    monkeypatch.setattr(sys, "path", sys.path[1:])
    monkeypatch.delitem(sys.modules, "toy_learner")
    with pytest.raises(ValueError, match=f"{PATH} must be the module and the name"):
        load_learner(folder)


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        ("nowhere:Toy", "nowhere:Toy must be the module and the name"),
        ("json:dumps", "`--learner` must be a class derived from tfmeta.learners.Few"),
        ("keras:Model", "`--learner` must be a class derived from tfmeta.learners.Few"),
        ("oracle", "`--learner` must be one of prototypical"),
    ],
)
def test_what_is_no_learner_leaves_nothing(call, tmp_path, learner, message):
    done = call("train", "--learner", learner, "--run", tmp_path / "run")
    assert message in done.error
    assert not list(tmp_path.iterdir())
