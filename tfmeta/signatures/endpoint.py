"""A function of tensors that an export writes as a signature."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A function and the named tensors it takes.

    Args:
        name: Name of the signature.
        function: Returns a dict of named tensors.
        inputs: Specifications of its arguments, in order, with their names.
        takes_state: Whether it goes on from an adapted state, which nobody can make
            up: such an endpoint is tried with that of one before it, which adapts.
        takes_files: Whether its strings are files of pictures.
        batchable: Whether a server may join requests of several clients along the
            first dimension: every input and output has it, it is free, and a row's
            answer depends on no other row.
        trial: Two examples of inputs by their names, to try the endpoint with, where
            numbers from 0 to 1 would be far from all that it knows.
    """

    name: str
    function: Callable[..., dict[str, tf.Tensor]]
    inputs: tuple[tf.TensorSpec, ...]
    takes_state: bool = False
    takes_files: bool = False
    batchable: bool = False
    trial: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)
