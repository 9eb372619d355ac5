"""Trying what was converted beside the learner that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfmeta.export.edge_functions import EdgeFunction
from tfmeta.finite_checks import count_not_finite

Answers = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]

# Ways and shots of the tasks that are tried, and their queries: two sizes, so that a
# size that a converter has taken for fixed is found.
_TRIALS = ((3, 2, 4), (5, 1, 7))

# Length of the difference, by that of what is expected. Several times what networks of
# 4 to 50 convolutions were measured to differ by.
_BOUNDS = {"float32": 1e-4, "float16": 0.05, "int8": 0.5}


def largest_differences(
    edge: EdgeFunction,
    answers: Answers,
    precision: str,
    examples: np.ndarray | None = None,
) -> dict[str, float]:
    """Compares answers with those of the learner.

    Args:
        edge: What was converted.
        answers: What answers by it.
        precision: Of its weights; says how much may differ.
        examples: Real examples to try it on, `(count, *example)`; `None` for random
            ones.

    Returns:
        The largest absolute difference of each output.

    Raises:
        ValueError: When an answer is not finite, has another shape, or differs by more
            than rounding does.
    """
    found: dict[str, float] = {}
    bound = _BOUNDS[precision]
    if edge.floats & {"float16", "bfloat16"}:
        bound = max(bound, _BOUNDS["float16"])
    for request in trial_requests(edge, examples):
        given = answers(request)
        arguments = [tf.constant(request[spec.name]) for spec in edge.inputs]
        for name, tensor in edge.function(*arguments).items():
            expected, got = tensor.numpy(), np.asarray(given[name])
            wrong = count_not_finite(got)
            if got.shape != expected.shape or wrong:
                raise ValueError(
                    "`learner` must answer with finite numbers after it was converted. "
                    f"Received: {wrong} that are NaN or infinite in {name!r} of "
                    f"{edge.name!r}, of shape {got.shape} for {expected.shape}"
                )
            length = float(np.linalg.norm(expected))
            gap = float(np.linalg.norm(got - expected)) / max(length, 1e-9)
            if not gap <= bound:
                raise ValueError(
                    "`learner` must answer alike after it was converted, within "
                    f"{bound:g} in {precision}. Received: {name!r} of "
                    f"{edge.name!r} differs by {gap:.2g} of its length on trial "
                    "examples"
                )
            largest = float(np.abs(got - expected).max(initial=0.0))
            found[name] = max(found.get(name, 0.0), largest)
    return found


def trial_requests(
    edge: EdgeFunction, examples: np.ndarray | None = None
) -> list[dict[str, np.ndarray]]:
    """Requests of two sizes.

    Args:
        edge: What they are for.
        examples: Real examples to take them from, `(count, *example)`; `None` for
            small positive numbers, which any preprocessing takes.

    Returns:
        A tensor by the name of each input, for each request.
    """
    rng = np.random.default_rng(0)

    def rows(spec: tf.TensorSpec, count: int) -> np.ndarray:
        kind = spec.dtype.as_numpy_dtype
        if examples is not None and examples.shape[1:] == tuple(spec.shape[1:]):
            taken = rng.choice(len(examples), count, replace=count > len(examples))
            return examples[taken].astype(kind)
        numbers = rng.uniform(size=(count, *spec.shape[1:]))
        if spec.dtype == tf.uint8:
            numbers = np.floor(256 * numbers)
        elif not spec.dtype.is_floating:
            numbers = np.rint(numbers)
        return numbers.astype(kind)

    requests = []
    for wanted, shots, queries in _TRIALS:
        ways = min(wanted, edge.most_ways or wanted)
        request = {}
        for spec in edge.inputs:
            if spec.name == "support_labels" and spec.dtype.is_integer:
                labels = np.tile(np.arange(ways), shots)
                request[spec.name] = labels.astype(spec.dtype.as_numpy_dtype)
            else:
                of_support = spec.name in ("support", "support_labels")
                request[spec.name] = rows(spec, ways * shots if of_support else queries)
        requests.append(request)
    return requests
