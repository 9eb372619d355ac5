"""A way to compute for runtimes that have neither loops over tensors nor float64."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_ASKED = contextvars.ContextVar("pairs_at_once", default=False)


@contextlib.contextmanager
def pairs_at_once() -> Iterator[None]:
    """Lets what is traced inside compare all pairs of one small task at once.

    Differences are then taken themselves, in float32, rather than multiplied out in
    float64 or one row at a time: as exact, and for the tasks of a phone as fast, but
    their memory grows with the number of pairs times the number of features. No
    gradient is asked for, and no set of examples is empty.

    Example:

    ```python
    with pairs_at_once():
        function.get_concrete_function()
    ```
    """
    before = _ASKED.set(True)
    try:
        yield
    finally:
        _ASKED.reset(before)


def are_pairs_at_once() -> bool:
    """Whether this is traced inside of `pairs_at_once`."""
    return _ASKED.get()
