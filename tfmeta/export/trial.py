"""Trying signatures before they are served."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfmeta.finite_checks import count_not_finite
from tfmeta.signatures.endpoint import Endpoint

_LABELS = (0, 1)
# Of a free size: what networks for pictures and series take, and little to keep.
_FREE = 32
_CHANNELS = 3
# Inputs that are no part of a state.
_EXAMPLES = {"query", "support", "support_labels"}

Request = dict[str, tf.Tensor]


class Trials:
    """Asks each signature of a model for two examples, in the order they are written.

    Attributes:
        requests: What the signatures were asked that answered, by their names: the
            named tensors.
    """

    def __init__(self) -> None:
        self.requests: dict[str, Request] = {}
        self._answers: list[Request] = []

    def check_answers(self, endpoint: Endpoint, function: Callable) -> None:
        """Checks that an endpoint answers two examples with finite numbers.

        One that goes on from an adapted state gets that of the endpoint before it
        which adapts. Where the size of examples is free nobody knows which ones an
        encoder takes, so that one which does not take ours is not refused.

        Args:
            endpoint: Whose inputs are known.
            function: What computes it.

        Raises:
            ValueError: When an answer is NaN or infinite; names the endpoint and
                counts.
        """
        state = self._state_for(endpoint)
        if state is None:
            return
        files = endpoint.takes_files
        given = {**endpoint.trial, **state}
        request = {
            spec.name: given[spec.name] if spec.name in given else _made_up(spec, files)
            for spec in endpoint.inputs
        }
        ours = [spec for spec in endpoint.inputs if spec.name not in state]
        is_free = any(None in spec.shape[1:] for spec in ours)
        try:
            answers = function(*request.values())
            _check_finite(endpoint.name, answers)
        except (tf.errors.OpError, TypeError, ValueError):
            if is_free:
                return
            raise
        self.requests[endpoint.name] = request
        self._answers.append(answers)

    def _state_for(self, endpoint: Endpoint) -> Request | None:
        """The parts of the state that it takes; `None` where nothing made them."""
        if not endpoint.takes_state:
            return {}
        parts = {spec.name for spec in endpoint.inputs} - _EXAMPLES
        parts -= endpoint.trial.keys()
        for answers in self._answers:
            if parts <= answers.keys():
                return {name: answers[name] for name in parts}
        return None


def _check_finite(name: str, answers: Request) -> None:
    for output, answer in answers.items():
        values = answer.numpy()
        if output == "logits":  # A way of a fixed head may be without an example.
            values = values[values != -np.inf]
        wrong = count_not_finite(values)
        if wrong:
            raise ValueError(
                f"`learner` must answer with finite numbers. Received: {wrong} of "
                f"{np.size(answer)} that are NaN or infinite in {output!r} of its "
                f"signature {name!r}, for two trial examples"
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


def _made_up(spec: tf.TensorSpec, takes_files: bool) -> tf.Tensor:
    """Two examples of small positive numbers, which any preprocessing takes."""
    if spec.name == "support_labels" and spec.dtype.is_integer:
        return tf.constant(_LABELS, spec.dtype)
    sizes = [_FREE if size is None else size for size in spec.shape[1:]]
    if len(sizes) == 3 and spec.shape[-1] is None:
        sizes[-1] = _CHANNELS
    shape = (2, *sizes)
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
