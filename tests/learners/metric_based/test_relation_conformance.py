"""Both objectives keep the habits that all else relies on."""

import keras
import pytest

from tfmeta.learners import RelationNetwork
from tfmeta.testing import CHECKS


def make(options):
    def make_learner(example_shape, ways):
        kernel = keras.initializers.GlorotUniform(seed=1)
        inputs = keras.Input(example_shape)
        maps = keras.layers.Conv2D(
            3, 3, padding="same", activation="tanh", kernel_initializer=kernel
        )(inputs)
        return RelationNetwork(
            keras.Model(inputs, maps),
            relation_filters=4,
            relation_units=3,
            seed=3,
            **options,
        )

    return make_learner


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conforms(check):
    check(make({}), example_shape=(4, 4, 2))


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_cross_entropy_of_sums_conforms(check):
    options = {"objective": "cross_entropy", "class_map": "sum"}
    check(make(options), example_shape=(4, 4, 2))
