"""Checks of the arguments that gradient-based learners share."""

from __future__ import annotations

from typing import Any


def check_arguments(
    *,
    ways: Any,
    task: Any,
    head: Any,
    inner_steps: Any,
    test_inner_steps: Any,
    batch_normalization: Any,
    vectorize_tasks: Any,
    rematerialize: Any,
    is_differentiated: bool,
) -> None:
    """Checks them before anything is built.

    Raises:
        ValueError: Names the argument, what it accepts, and what came.
    """
    for name, value, accepted in (
        ("task", task, ("classification", "regression")),
        ("head", head, ("linear", "prototypes")),
        (
            "batch_normalization",
            batch_normalization,
            ("query_batch", "support", "running"),
        ),
        ("vectorize_tasks", vectorize_tasks, ("auto", True, False)),
        ("rematerialize", rematerialize, (True, False)),
    ):
        if value not in accepted:
            raise ValueError(
                f"`{name}` must be one of {', '.join(map(str, accepted))}. Received: "
                f"{name}={value!r}"
            )
    if task == "regression" and head == "prototypes":
        raise ValueError(
            "`head` must be 'linear' for regression, which has no classes. Received: "
            "head='prototypes'"
        )
    if ways is None and head == "linear":
        raise ValueError(
            "`ways` must be the number of classes of every task, or of outputs; only "
            "head='prototypes' takes any. Received: ways=None"
        )
    if rematerialize and not is_differentiated:
        raise ValueError(
            "`rematerialize` must be False where the outer loop does not differentiate "
            "inner steps of the encoder, in first order and with an adapted head "
            "alone: there is nothing that it could save. Received: rematerialize=True"
        )
    least = 1 if task == "regression" else 2
    if ways is not None:
        check_integer("ways", ways, least)
    check_integer("inner_steps", inner_steps, 1)
    if test_inner_steps is not None:
        check_integer("test_inner_steps", test_inner_steps, 1)


def check_integer(name: str, value: Any, least: int) -> None:
    """Raises a ValueError unless `value` is an int of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(
            f"`{name}` must be an int of at least {least}. Received: {name}={value!r}"
        )


def check_rate(name: str, value: Any) -> None:
    """Raises a ValueError unless `value` is a positive finite number."""
    if not isinstance(value, int | float) or not 0.0 < value < float("inf"):
        raise ValueError(
            f"`{name}` must be a positive number. Received: {name}={value!r}"
        )


def check_reduction(loss: Any) -> None:
    """Refuses a loss that is not one number, which has no one gradient."""
    reduction = getattr(loss, "reduction", "sum")
    if reduction in (None, "none"):
        raise ValueError(
            "`loss` must be one number for a learner with an inner loop. Write "
            'reduction="mean_with_sample_weight", or "sum". Received: '
            f"reduction={reduction!r}"
        )


def no_quantizing(learner: Any) -> ValueError:
    """What `quantize` raises."""
    return ValueError(
        "`quantize` must not be called on a learner with an inner loop, which takes "
        "gradient steps on the weights. Write keras.config.set_dtype_policy("
        f'"mixed_bfloat16") before its encoder is made. Received: a '
        f"{type(learner).__name__}"
    )
