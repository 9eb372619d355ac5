"""Every form of a Matching Network keeps the habits that all else relies on."""

import keras
import pytest
from conformance import OF_ITS_OWN, checks

from tfmeta.learners import MatchingNetwork

PLAIN = {"learn_temperature": True}
FULL = {"full_context": True, "steps": 2, "seed": 3}
OTHERS = {
    "fixed": {},
    "squared_euclidean": {"distance": "squared_euclidean", "temperature": 1.0},
    "full-euclidean": {
        "distance": "euclidean",
        "full_context": True,
        "learn_temperature": True,
        "steps": 1,
        "seed": 3,
    },
}
# What the context of the other support examples has a part in; tracing or compiling
# its recurrence takes its time.
TELLING = {
    *("check_state_is_everything", "check_encode_once", "check_padded_predictions"),
    *("check_padded_training", "check_not_a_number", "check_gradient"),
}


def make(options):
    def make_learner(example_shape, ways):
        kernel = keras.initializers.GlorotUniform(seed=1)
        encoder = keras.Sequential(
            [
                keras.Input(example_shape),
                keras.layers.Dense(4, "tanh", kernel_initializer=kernel),
            ]
        )
        return MatchingNetwork(encoder, **options)

    return make_learner


@pytest.mark.parametrize("check", checks(OF_ITS_OWN))
def test_conforms(check):
    check(make(PLAIN))


@pytest.mark.parametrize("check", checks(TELLING))
def test_full_context_conforms(check):
    check(make(FULL))


@pytest.mark.parametrize("check", checks(()))
@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS)
def test_other_forms_conform(check, options):
    check(make(options))
