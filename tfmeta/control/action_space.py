"""What an agent may do at a step."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class ActionSpace:
    """One of some actions, or some real numbers.

    Attributes:
        kind: `"discrete"` or `"continuous"`.
        size: Number of actions, or of real numbers.
        low: Least of each real number, to which an environment clips; `None` for none.
        high: Likewise, the largest.
    """

    kind: Literal["discrete", "continuous"]
    size: int
    low: float | None = None
    high: float | None = None

    @property
    def dtype(self) -> str:
        """Of actions: int32 `(...)` of discrete ones, float32 `(..., size)` else."""
        return "int32" if self.kind == "discrete" else "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one action."""
        return () if self.kind == "discrete" else (self.size,)
