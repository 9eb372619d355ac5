"""What a format has no operation for."""

from __future__ import annotations

from collections.abc import Sequence


class UnconvertibleError(Exception):
    """A function cannot be said in a format.

    Args:
        operations: Names of those that the format, or its runtime, does not have;
            empty where the converter does not say.
        reason: What the converter, or the runtime, says.
    """

    def __init__(self, operations: Sequence[str], reason: str) -> None:
        super().__init__(reason)
        self.operations = list(operations)
        self.reason = " ".join(reason.split())[:300]
