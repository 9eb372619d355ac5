"""What updates were worth on test tasks, with intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from tfmeta.evaluation.regression_result import TaskMean
from tfmeta.finite_checks import check_finite
from tfmeta.printable import one_line


class KeptReturns(TypedDict):
    """A `to_json`."""

    protocol: dict[str, Any]
    learner: str
    returns: list[list[float]]


@dataclasses.dataclass(frozen=True, eq=False)
class ReturnsResult:
    """Mean returns of test tasks, before and after each update.

    Attributes:
        protocol: What fixes the figures: family, tasks, trajectories, seed.
        learner: What it is called.
        returns: Float64 `(updates + 1, tasks)`, undiscounted.
    """

    protocol: dict[str, Any]
    learner: str
    returns: np.ndarray

    def __post_init__(self) -> None:
        check_finite("returns", self.returns)

    def mean(self, updates: int) -> TaskMean:
        """The mean return over tasks after so many updates."""
        return TaskMean.of(self.returns[updates])

    def gain(self, updates: int) -> TaskMean:
        """By how much it is more than before the first, task by task."""
        return TaskMean.of(self.returns[updates] - self.returns[0])

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {
            "protocol": self.protocol,
            "learner": self.learner,
            "returns": self.returns.tolist(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ReturnsResult:
        """The result of a `to_json`.

        Raises:
            ValueError: When the rows differ in length, or a number is not finite.
        """
        returns = np.array(values["returns"], np.float64)
        if returns.ndim != 2 or not returns.size:
            raise ValueError(
                "`returns` must be a list of lists of one length. Received: others"
            )
        return cls(values["protocol"], values["learner"], returns)

    def __str__(self) -> str:
        p = self.protocol
        updates, tasks = self.returns.shape
        lines = [
            f"{p['family']}: {tasks:,} test tasks, {p['trajectories']} trajectories "
            f"for each update, seed {p['seed']}",
            f"  {'':22}{'return':20}more than before",
        ]
        for number in range(updates):
            words = f"after {number} update{'' if number == 1 else 's'}"
            gain = self.gain(number).text(sign="+") if number else ""
            lines.append(f"  {words:22}{self.mean(number).text():20}{gain}".rstrip())
        if tasks > 1:
            lines.append(
                f"  ± is 95 % over test tasks ({tasks:,}, Student's t), of one training"
            )
        else:
            lines.append("  no interval: one test task says nothing of others")
        return "\n".join(map(one_line, lines))
