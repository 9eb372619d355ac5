"""Every learner of the family keeps the habits of Keras and of episodes."""

import pytest
from conformance import BY_NAME

FIXED_HEAD = ["check_class_order"]
# They do not follow the gradient of their loss, and say so.
NO_GRADIENT = ["check_gradient"]
# What differs from learner to learner; the rest is the base's.
TELLING = [
    "check_verbs",
    "check_transductive",
    "check_tasks_are_independent",
    "check_padded_predictions",
    "check_padded_training",
    "check_gradient",
    "check_free_dimensions",
    "check_config",
    "check_keras_file",
]

CASES = {
    "maml": ("maml", {}, FIXED_HEAD),
    "maml support": ("maml", {"batch_normalization": "support"}, FIXED_HEAD),
    "maml prototypes": ("maml", {"head": "prototypes"}, []),
    "first order": ("maml", {"first_order": True}, FIXED_HEAD + NO_GRADIENT),
    "anil": ("anil", {"head": "prototypes", "batch_normalization": "support"}, []),
    "meta_sgd": ("meta_sgd", {"batch_normalization": "running"}, FIXED_HEAD),
    "maml_plus_plus": (
        "maml_plus_plus",
        {"batch_normalization": "running"},
        FIXED_HEAD,
    ),
    # Where gradients are zero, as behind batch normalization of two rows, Adam takes
    # full steps by their rounding, which is another under XLA.
    "reptile": ("reptile", {}, FIXED_HEAD + NO_GRADIENT + ["check_jit_compile"]),
    "lstm": ("lstm", {}, FIXED_HEAD + NO_GRADIENT),
}


def run(check, case, make_maker):
    name, arguments, expected = CASES[case]
    maker = make_maker(name, **arguments)
    free = arguments.get("head") == "prototypes"
    if check in expected:
        with pytest.raises(AssertionError):
            BY_NAME[check](maker, ways_are_free=free)
    else:
        BY_NAME[check](maker, ways_are_free=free)


# Beside MAML, what a paper changes is in the gradient and in the states.
MOST_TELLING = ["check_verbs", "check_padded_predictions", "check_gradient"]


@pytest.mark.parametrize("check", TELLING)
def test_telling_checks(check, make_maker):
    run(check, "maml", make_maker)


@pytest.mark.parametrize(
    "check",
    [
        c if c in MOST_TELLING else pytest.param(c, marks=pytest.mark.slow)
        for c in TELLING
    ],
)
@pytest.mark.parametrize("case", list(CASES)[1:])
def test_telling_checks_of_the_others(check, case, make_maker):
    run(check, case, make_maker)


HEAVY = {"check_fit_with_defaults", "check_jit_compile", "check_unlabelled_inputs"}


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(c, marks=pytest.mark.slow) if c in HEAVY else c
        for c in BY_NAME
        if c not in TELLING
    ],
)
def test_other_checks(check, make_maker):
    run(check, "maml", make_maker)


@pytest.mark.slow
@pytest.mark.parametrize("check", [c for c in BY_NAME if c not in TELLING])
@pytest.mark.parametrize("case", list(CASES)[1:])
def test_other_checks_of_the_others(check, case, make_maker):
    run(check, case, make_maker)


@pytest.mark.slow
def test_xla_draws_the_mini_batches_of_reptile(make_maker):
    maker = make_maker("reptile", normalized=False)
    BY_NAME["check_jit_compile"](maker, ways_are_free=False)
