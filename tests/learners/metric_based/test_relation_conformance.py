"""Both objectives keep the habits that all else relies on."""

import keras
import pytest
from conformance import checks

from tfmeta.learners import RelationNetwork


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


# What a comparison by a network has a part in.
TELLING = {
    *("check_verbs", "check_state_is_everything", "check_encode_once"),
    *("check_absent_ways", "check_padded_predictions", "check_padded_training"),
    *("check_not_a_number", "check_gradient", "check_config"),
}


@pytest.mark.parametrize("check", checks(TELLING))
def test_conforms(check):
    check(make({}), example_shape=(4, 4, 2))


@pytest.mark.parametrize("check", checks(()))
def test_cross_entropy_of_sums_conforms(check):
    options = {"objective": "cross_entropy", "class_map": "sum"}
    check(make(options), example_shape=(4, 4, 2))
