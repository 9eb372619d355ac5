"""Which checks of the conformance suite run on which learner, and when.

By default one learner of each family passes every check, and of the others those
checks run that see the difference. In `pytest -m slow` every form of every learner
passes one check of each kind, if not all; the rest is exhaustive.
"""

from collections.abc import Collection

import pytest

from tfmeta.testing import CHECKS

BY_NAME = {check.__name__: check for check in CHECKS}

# One of each module of `tfmeta.testing`: what goes the longest way through a learner.
ONE_OF_EACH_KIND = {
    *("check_verbs", "check_tasks_are_independent", "check_padded_training"),
    *("check_use_of_unlabelled", "check_not_a_number", "check_gradient"),
    *("check_fit_with_defaults", "check_export"),
}
assert len({BY_NAME[name].__module__ for name in ONE_OF_EACH_KIND}) == len(
    {check.__module__ for check in CHECKS}
)

# What Keras and the base class do, alike for all learners of a family.
OF_THE_BASE = {
    *("check_evaluate_and_predict", "check_unlabelled_inputs", "check_no_retracing"),
    *("check_fit_with_defaults", "check_callbacks", "check_mixed_precision"),
    *("check_jit_compile", "check_keras_file", "check_export"),
}
OF_ITS_OWN = set(BY_NAME) - OF_THE_BASE


def checks(
    by_default: Collection[str] = tuple(BY_NAME),
    slow: Collection[str] = ONE_OF_EACH_KIND,
    *,
    of: Collection[str] = tuple(BY_NAME),
) -> list:
    """Parameters of the checks `of`; what is in none of the others is exhaustive."""
    unknown = {*of, *by_default, *slow} - set(BY_NAME)
    assert not unknown, f"no such checks: {unknown}"

    def marks(name):
        if name in by_default:
            return ()
        return pytest.mark.slow if name in slow else pytest.mark.exhaustive

    return [pytest.param(BY_NAME[name], id=name, marks=marks(name)) for name in of]
