"""What an environment refuses inside a graph, said as it was said there."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def environment_errors() -> Iterator[None]:
    """Turns what Python raised inside a graph into a `ValueError` of one line.

    TensorFlow puts the traceback of the graph's operation around it.

    Raises:
        ValueError: In its place.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
        found = re.search(r"\bValueError: ([^\n]+)\nTraceback", error.message)
        if found is None:
            raise
        raise ValueError(found[1]) from None
