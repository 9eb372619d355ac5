"""Computing once more what a gradient needs, in the place of keeping it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf


def rematerialized(
    function: Callable[..., Any], *, held: list[Any] | None = None
) -> Callable[..., Any]:
    """A function whose intermediate values are not kept for its gradient.

    Griewank and Walther (2000), *Algorithm 799: Revolve: An Implementation of
    Checkpointing for the Reverse or Adjoint Mode of Computational Differentiation*.
    As `tf.recompute_grad`, but for functions that take gradients of their own, which
    that one silences. The result can be differentiated once.

    Args:
        function: From nests of tensors to a nest of tensors. Besides them it may
            depend on `tf.Variable`s; what it has from tensors around it passes no
            gradient.
        held: A list that the function reads and changes, such as the states of random
            layers. Computed once more, the function finds what it found at first.

    Returns:
        A function of the same arguments and result.

    Example:

    ```python
    @rematerialized
    def wide(x):
        return tf.reduce_sum(tf.sin(x[:, None] * tf.ones([1, 1000])))
    ```
    """

    def wrapped(*arguments: Any) -> Any:
        flat = tf.nest.flatten(arguments)
        structure: list[Any] = []
        before = None if held is None else list(held)

        def call(*values: tf.Tensor) -> list[tf.Tensor]:
            result = function(*tf.nest.pack_sequence_as(arguments, list(values)))
            structure[:] = [result]
            return tf.nest.flatten(result)

        @tf.custom_gradient
        def kept_by_arguments(*values: tf.Tensor) -> tuple[list[tf.Tensor], Any]:
            def gradient(*upstream: tf.Tensor, variables: Any = None) -> Any:
                sources = list(variables or [])
                # Not before the gradient is there; otherwise it would be merged with
                # the first pass, and all would be kept after all.
                with tf.control_dependencies(upstream):
                    again = [tf.identity(value) for value in values]
                with tf.GradientTape() as tape, _set_back(held, before):
                    tape.watch([*again, *sources])
                    results = call(*again)
                found = tape.gradient(
                    results,
                    [*again, *sources],
                    output_gradients=list(upstream),
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
                own = found[: len(again)]
                return own if variables is None else (own, found[len(again) :])

            return call(*values), gradient

        results = kept_by_arguments(*flat)
        return tf.nest.pack_sequence_as(structure[0], results)

    return wrapped


@contextlib.contextmanager
def _set_back(held: list[Any] | None, before: list[Any] | None) -> Iterator[None]:
    if held is None or before is None:
        yield
        return
    now = list(held)
    held[:] = before
    try:
        yield
    finally:
        held[:] = now
