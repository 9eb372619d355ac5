"""The suite passes what is right and fails what is wrong, each check its own."""

from pathlib import Path

import broken_learners
import broken_training
import keras
import pytest
from conformance import BY_NAME as CHECKS
from conformance import OF_THE_BASE, checks

import tfmeta
from tfmeta.layers import BatchNormalization
from tfmeta.learners import PrototypicalNetwork


def make_for_vectors(distance):
    def make_learner(example_shape, ways):
        return PrototypicalNetwork(broken_learners.encoder(example_shape), distance)

    return make_learner


def make_for_pictures(distance):
    def make_learner(example_shape, ways):
        kernels = [keras.initializers.GlorotUniform(seed=i) for i in (1, 2)]
        inputs = keras.Input(example_shape)
        x = keras.layers.Conv2D(3, 3, 2, "same", kernel_initializer=kernels[0])(inputs)
        x = keras.layers.Activation("tanh")(BatchNormalization()(x))
        x = keras.layers.Flatten()(x)
        outputs = keras.layers.Dense(4, kernel_initializer=kernels[1])(x)
        return PrototypicalNetwork(keras.Model(inputs, outputs), distance)

    return make_learner


@pytest.mark.parametrize("check", checks())
def test_prototypical_network_passes(check):
    check(make_for_vectors("cosine"), example_shape=(3, 2))


@pytest.mark.parametrize(
    ("make_learner", "example_shape"),
    [
        (make_for_vectors("squared_euclidean"), (8,)),
        (make_for_pictures("euclidean"), (6, 6, 1)),
    ],
    ids=["squared_euclidean", "euclidean"],
)
@pytest.mark.parametrize("check", checks(()))
def test_other_prototypical_networks_pass(check, make_learner, example_shape):
    check(make_learner, example_shape=example_shape)


def violations():
    """Learners and what they violate; of those that train, one a check by default."""
    seen = set()
    for name, message, cls in broken_learners.VIOLATIONS:
        again = name in OF_THE_BASE and name in seen
        seen.add(name)
        yield pytest.param(
            *(name, message, cls),
            id=f"{name[6:]}-{cls.__name__}",
            marks=pytest.mark.slow if again else (),
        )


@pytest.mark.parametrize(("check", "message", "learner"), violations())
def test_a_broken_learner_fails_its_check(check, message, learner):
    with pytest.raises(AssertionError, match=rf"(?s)^{check}: .*{message}"):
        CHECKS[check](learner.make)


def test_every_check_is_seen_to_fail():
    assert {check for check, _, _ in broken_learners.VIOLATIONS} == set(CHECKS)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_callers_precision_comes_back(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        CHECKS["check_padded_predictions"](make_for_vectors("cosine"))
        with pytest.raises(AssertionError):
            CHECKS["check_gradient"](broken_training.CutsTheGradient.make)
        assert keras.config.dtype_policy().name == policy
        assert keras.config.floatx() == "float32"
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.slow
def test_all_failures_come_in_one_report():
    class TwoViolations(broken_learners.ClaimsToBeTransductive):
        """Claims to be transductive, and cannot be loaded."""

    reasons = {
        "check_callbacks": "a class inside a function cannot be registered",
        "check_verbs": "nothing is wrong with them",
    }
    with pytest.raises(AssertionError) as raised:
        tfmeta.testing.check_learner(TwoViolations.make, expected_failed_checks=reasons)
    report = str(raised.value)
    assert report.startswith(f"3 of {len(CHECKS)} checks failed:\n")
    assert "- check_transductive: `transductive` is True" in report
    assert "- check_keras_file: " in report
    assert "- check_verbs: passes, but is expected to fail because: noth" in report
    assert "check_callbacks" not in report


@pytest.mark.parametrize(
    "check",
    [
        *("free_dimensions", "padded_predictions"),
        pytest.param("fit_with_defaults", marks=pytest.mark.slow),
    ],
)
def test_a_fixed_number_of_ways_can_be_declared(check):
    learner = broken_learners.AlwaysThreeWays
    CHECKS[f"check_{check}"](learner.make, ways_are_free=False)
    with pytest.raises(AssertionError):
        CHECKS[f"check_{check}"](learner.make)


def test_unknown_expected_failures_are_refused():
    with pytest.raises(ValueError, match="must name checks.*Received: check_color"):
        tfmeta.testing.check_learner(
            make_for_vectors("cosine"), expected_failed_checks={"check_color": "?"}
        )


def test_needs_no_test_framework():
    sources = Path(tfmeta.testing.__file__).parent.glob("*.py")
    assert not [s.name for s in sources if "import pytest" in s.read_text()]
