"""Every learner of the family keeps the habits of Keras and of episodes."""

import pytest
from conformance import BY_NAME, checks

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
    if check.__name__ in expected:
        with pytest.raises(AssertionError):
            check(maker, ways_are_free=free)
    else:
        check(maker, ways_are_free=free)


# Beside MAML, what a paper changes is in the states, and in the gradient: that is held
# against central differences in test_exactness.py, but for these.
MOST_TELLING = [
    ("maml prototypes", "check_gradient"),
    ("maml_plus_plus", "check_gradient"),
    *((case, "check_padded_predictions") for case in CASES),
]


@pytest.mark.parametrize("check", checks(of=TELLING))
def test_telling_checks(check, make_maker):
    run(check, "maml", make_maker)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "check"),
    [
        pytest.param(case, *check.values, id=f"{case}-{check.id}", marks=check.marks)
        for case in list(CASES)[1:]
        for check in checks([name for of, name in MOST_TELLING if of == case])
    ],
)
def test_checks_of_the_others(check, case, make_maker):
    run(check, case, make_maker)


# What takes longest of the rest.
HEAVY = [
    *("check_fit_with_defaults", "check_jit_compile", "check_unlabelled_inputs"),
    *("check_mixed_precision", "check_no_retracing", "check_callbacks"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "check", checks(of=[name for name in BY_NAME if name not in TELLING + HEAVY])
)
def test_other_checks(check, make_maker):
    run(check, "maml", make_maker)


@pytest.mark.parametrize("check", checks((), (), of=HEAVY))
def test_heavy_checks(check, make_maker):
    run(check, "maml", make_maker)


@pytest.mark.exhaustive
def test_xla_draws_the_mini_batches_of_reptile(make_maker):
    maker = make_maker("reptile", normalized=False)
    BY_NAME["check_jit_compile"](maker, ways_are_free=False)
