"""Trying a signature before it is served."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfmeta.finite_checks import count_not_finite
from tfmeta.signatures.endpoint import Endpoint

_LABELS = (0, 1)


def check_answers(endpoint: Endpoint, function: Callable) -> None:
    """Checks that an endpoint answers two examples with finite numbers.

    Only those that take examples of a fixed size are tried, and what an adapted
    state is for is tried by the endpoint that adapts.

    Args:
        endpoint: Whose inputs are known.
        function: What computes it.

    Raises:
        ValueError: When an answer is NaN or infinite; names the endpoint and counts.
    """
    inputs = endpoint.inputs
    if endpoint.takes_state or any(None in spec.shape[1:] for spec in inputs):
        return
    answers = function(*(_trial_input(spec, endpoint.takes_files) for spec in inputs))
    for name, answer in answers.items():
        values = answer.numpy()
        if name == "logits":  # A way of a fixed head may be without an example.
            values = values[values != -np.inf]
        wrong = count_not_finite(values)
        if wrong:
            raise ValueError(
                f"`learner` must answer with finite numbers. Received: {wrong} of "
                f"{np.size(answer)} that are NaN or infinite in {name!r} of its "
                f"signature {endpoint.name!r}, for two trial examples"
            )


def check_batchable(endpoint: Endpoint, outputs: Mapping[str, tf.TensorSpec]) -> None:
    """Checks that requests can be joined where an endpoint says that they may be.

    Args:
        endpoint: Whose inputs are known.
        outputs: What it gives, by name.

    Raises:
        ValueError: When a tensor of a batchable endpoint has no free first dimension;
            names both.
    """
    tensors = {**{spec.name: spec for spec in endpoint.inputs}, **outputs}
    for name, spec in tensors.items() if endpoint.batchable else ():
        if not spec.shape.rank or spec.shape[0] is not None:
            raise ValueError(
                "`learner` must give a batchable endpoint a free first dimension of "
                f"every input and output. Received: {endpoint.name!r} with {name!r} of "
                f"shape {spec.shape}"
            )


def _trial_input(spec: tf.TensorSpec, takes_files: bool) -> tf.Tensor:
    """Two examples of small positive numbers, which any preprocessing takes."""
    if spec.name == "support_labels" and spec.dtype.is_integer:
        return tf.constant(_LABELS, spec.dtype)
    shape = (2, *spec.shape[1:])
    if takes_files and spec.dtype == tf.string:
        pixels = np.random.default_rng(0).integers(0, 256, (2, 2, 2, 3), np.uint8)
        return tf.stack([tf.io.encode_png(picture) for picture in pixels])
    if spec.dtype == tf.string:
        return tf.reshape(
            tf.repeat(["a b", "b c"], np.prod(shape[1:], dtype=int)), shape
        )
    numbers = np.random.default_rng(0).uniform(size=shape)
    if spec.dtype == tf.uint8:
        numbers = np.floor(256 * numbers)
    elif not spec.dtype.is_floating:
        numbers = np.rint(numbers)
    return tf.cast(tf.constant(numbers), spec.dtype)
