"""Every form of a Matching Network keeps the habits that all else relies on."""

import keras
import pytest

from tfmeta.learners import MatchingNetwork
from tfmeta.testing import CHECKS

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
# Tracing or compiling the recurrence several times takes its time.
SLOW_WITH_CONTEXT = {
    "check_evaluate_and_predict",
    "check_unlabelled_inputs",
    "check_fit_with_defaults",
    "check_callbacks",
    "check_mixed_precision",
    "check_jit_compile",
    "check_no_retracing",
    "check_keras_file",
    "check_export",
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


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conforms(check):
    check(make(PLAIN))


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check,
            id=check.__name__,
            marks=pytest.mark.slow if check.__name__ in SLOW_WITH_CONTEXT else (),
        )
        for check in CHECKS
    ],
)
def test_full_context_conforms(check):
    check(make(FULL))


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("options", OTHERS.values(), ids=OTHERS)
def test_other_forms_conform(check, options):
    check(make(options))
