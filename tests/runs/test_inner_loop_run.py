"""Runs of learners with an inner loop."""

import keras
import pytest

from tfmeta.learners import MAML, Reptile
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.defaults import default_config


def test_ways_of_the_head_are_those_of_the_tasks():
    config = default_config("glyphs", {"learner": "maml", "ways": 7})
    assert (config.test.ways, config.training.ways, config.train_tasks) == (7, 7, 16)
    assert config.validation == config.test
    learner = build_learner(config, load_split(config, "train", None))
    assert isinstance(learner, MAML) and learner.ways == 7
    with pytest.raises(ValueError, match="train_ways.*Received: ways=5, train_ways=20"):
        default_config("glyphs", {"learner": "maml", "ways": 5, "train_ways": 20})


@pytest.mark.slow
def test_a_head_of_prototypes_trains_with_other_ways():
    chosen = {"learner": "maml", "ways": 5, "train_ways": 20}
    chosen["learner_arguments"] = {"head": "prototypes", "inner_learning_rate": 0.01}
    config = default_config("glyphs", chosen)
    assert (config.test.ways, config.training.ways) == (5, 20)
    learner = build_learner(config, load_split(config, "train", None))
    assert learner.ways is None and learner.head == "prototypes"


@pytest.mark.slow
def test_reptile_takes_its_meta_step_from_a_falling_rate():
    config = default_config("glyphs", {"learner": "reptile"})
    assert (config.training.shots, config.learning_rate) == (10, 1.0)
    learner = build_learner(config, load_split(config, "train", None))
    assert isinstance(learner, Reptile)
    assert isinstance(learner.optimizer, keras.optimizers.SGD)
    rate = learner.optimizer._learning_rate
    steps = config.steps
    assert [float(rate(s)) for s in (0, steps // 2, steps)] == [1.0, 0.5, 0.0]


@pytest.mark.slow
def test_arguments_of_all_bases_are_taken():
    arguments = {"inner_steps": 2, "first_order_steps": 3, "inner_learning_rate": 0.2}
    config = TrainConfig().with_options(
        dict(learner="maml_plus_plus", train_ways=5, learner_arguments=arguments)
    )
    learner = build_learner(config, load_split(config, "train", None))
    assert (learner.inner_steps, learner.first_order_steps) == (2, 3)
    wrong = TrainConfig().with_options(
        dict(learner="maml", train_ways=5, learner_arguments={"inner_rate": 1})
    )
    with pytest.raises(ValueError, match="inner_learning_rate.*inner_rate"):
        build_learner(wrong, load_split(wrong, "train", None))
