"""Both baselines keep the habits that everything else relies on."""

import keras
import pytest

from tfmeta.learners import Baseline, BaselinePlusPlus
from tfmeta.testing import check_learner


@pytest.mark.parametrize("learner", [Baseline, BaselinePlusPlus])
def test_conforms(learner):
    def make_learner(example_shape, ways):
        kernel = keras.initializers.GlorotUniform(seed=1)
        encoder = keras.Sequential(
            [
                keras.Input(example_shape),
                keras.layers.Dense(4, "tanh", kernel_initializer=kernel),
            ]
        )
        return learner(encoder, 6, head_steps=5, head_learning_rate=0.5, seed=2)

    check_learner(make_learner)
