"""Runs of learners that compare a query with every support example or class."""

import keras
import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train

RUNS = {
    "matching": {"full_context": True, "steps": 2},
    "relation": {"relation_filters": 4},
}
GREY = ClassTable.from_arrays(
    "grey", np.zeros((4, 28, 28, 1), np.uint8), [f"class{i % 2}" for i in range(4)]
)


def config_of(learner, **changes):
    options = {
        "learner": learner,
        "learner_arguments": RUNS[learner],
        "filters": 4,
        "train_ways": 4,
        "train_queries": 2,
        "queries": 2,
        "validation_episodes": 2,
        "epochs": 1,
        "steps_per_epoch": 3,
    }
    return TrainConfig().with_options({**options, **changes})


@pytest.mark.slow
@pytest.mark.usefixtures("glyphs_drawn_once")
@pytest.mark.parametrize("learner", RUNS)
def test_trains_and_loads(learner, tmp_path):
    folder = RunFolder(tmp_path / "run")
    trained = train(config_of(learner), folder)
    loaded = load_learner(folder)
    assert type(loaded) is type(trained)
    for ours, theirs in zip(loaded.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    untrained = build_learner(config_of(learner), GREY)
    assert not np.array_equal(untrained.weights[-2], loaded.weights[-2])


@pytest.mark.parametrize("learner", RUNS)
def test_the_seed_of_a_run_fixes_all_weights(learner):
    first, same, other = (
        build_learner(config_of(learner, seed=seed), GREY) for seed in (3, 3, 4)
    )
    for a, b in zip(first.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    own = [w for w in first.trainable_variables if "kernel" in w.path]
    others = [w for w in other.trainable_variables if "kernel" in w.path]
    for a, b in zip(own, others, strict=True):
        assert not np.array_equal(a, b), a.path
    arguments = {**RUNS[learner], "seed": 5}
    chosen = build_learner(config_of(learner, learner_arguments=arguments), GREY)
    assert chosen.seed == 5


def test_a_relation_network_gets_maps():
    learner = build_learner(config_of("relation"), GREY)
    assert learner.encoder.output_shape == (None, 7, 7, 4)
    assert learner.relation_module.compute_dtype == "float32"
    learner = build_learner(config_of("relation", dtype_policy="mixed_bfloat16"), GREY)
    assert learner.relation_module.compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_an_encoder_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`encoder`.*maps of a fixed size"):
        build_learner(config_of("relation", encoder="conv4"), GREY)
    with pytest.raises(ValueError, match="`encoder`.*vectors"):
        build_learner(config_of("matching", encoder="conv4_maps"), GREY)
