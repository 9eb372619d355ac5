"""The conformance suite: is this a learner that everything else can rely on?"""

from __future__ import annotations

from collections.abc import Mapping

from tfmeta.testing import (
    checks_contract,
    checks_episodes,
    checks_gradients,
    checks_keras,
    checks_not_a_number,
    checks_padding,
    checks_saving,
    checks_unlabelled,
)
from tfmeta.testing.subject import LearnerCheck, MakeLearner

CHECKS: tuple[LearnerCheck, ...] = (
    checks_contract.check_maker,
    checks_contract.check_verbs,
    checks_contract.check_state_is_everything,
    checks_contract.check_state_spec,
    checks_contract.check_evaluate_and_predict,
    checks_contract.check_encode_once,
    checks_contract.check_independent_classes,
    checks_contract.check_class_vectors,
    checks_episodes.check_class_order,
    checks_episodes.check_transductive,
    checks_episodes.check_tasks_are_independent,
    checks_episodes.check_absent_ways,
    checks_episodes.check_free_dimensions,
    checks_padding.check_padded_predictions,
    checks_padding.check_padded_training,
    checks_unlabelled.check_unlabelled_inputs,
    checks_unlabelled.check_use_of_unlabelled,
    checks_not_a_number.check_not_a_number,
    checks_gradients.check_gradient,
    checks_keras.check_fit_with_defaults,
    checks_keras.check_callbacks,
    checks_keras.check_mixed_precision,
    checks_keras.check_jit_compile,
    checks_keras.check_no_retracing,
    checks_saving.check_config,
    checks_saving.check_keras_file,
    checks_saving.check_export,
)


def check_learner(
    make_learner: MakeLearner,
    *,
    example_shape: tuple[int, ...] = (8,),
    ways_are_free: bool = True,
    expected_failed_checks: Mapping[str, str] | None = None,
) -> None:
    """Checks that a learner keeps the habits that the rest of tfmeta relies on.

    Runs every check of `tfmeta.testing.CHECKS`; none needs pytest. A check is a
    function of the same arguments, so that they can also be run one by one:

    ```python
    @pytest.mark.parametrize("check", tfmeta.testing.CHECKS, ids=lambda c: c.__name__)
    def test_my_learner(check):
        check(make_learner)
    ```

    The checks are for classification. With a small encoder they take some ten
    seconds for a metric learner, more for one with an inner loop.

    Args:
        make_learner: `make_learner(example_shape, ways)` returns a fresh,
            uncompiled learner for float32 examples of that shape, with equal
            weights at every call. Learners whose number of ways is free ignore
            `ways`. It is called under the global dtype policies float32, float64
            and mixed_bfloat16, so it should leave dtypes to Keras. The encoder
            should be small, smooth (a gradient is compared with finite
            differences: tanh, no rectifier or maximum) and without random layers.
        example_shape: Shape of one example; examples are around 0.
        ways_are_free: Whether the learner classifies among any number of ways,
            whatever it was trained with.
        expected_failed_checks: Names of checks that the learner does not pass by
            design, each with the reason, such as `{"check_class_order": "the
            weights of the head belong to a way"}`. It is an error when one of them
            passes.

    Raises:
        AssertionError: When a check fails; names every one that failed, and the
            habit it is about.
        ValueError: When `expected_failed_checks` names no check.

    Example:

    ```python
    def make_learner(example_shape, ways):
        encoder = keras.Sequential([
            keras.Input(example_shape),
            keras.layers.Dense(
                4, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=1)
            ),
        ])
        return MyLearner(encoder)

    tfmeta.testing.check_learner(make_learner)
    ```
    """
    expected = dict(expected_failed_checks or {})
    unknown = sorted(set(expected) - {check.__name__ for check in CHECKS})
    if unknown:
        raise ValueError(
            "`expected_failed_checks` must name checks of tfmeta.testing.CHECKS. "
            f"Received: {', '.join(unknown)}"
        )
    violations = []
    for check in CHECKS:
        try:
            check(
                make_learner, example_shape=example_shape, ways_are_free=ways_are_free
            )
        except AssertionError as error:
            if check.__name__ not in expected:
                violations.append(str(error))
        else:
            if check.__name__ in expected:
                violations.append(
                    f"{check.__name__}: passes, but is expected to fail because: "
                    f"{expected[check.__name__]}"
                )
    if violations:
        raise AssertionError(
            f"{len(violations)} of {len(CHECKS)} checks failed:\n"
            + "\n".join(f"- {violation}" for violation in violations)
        )
