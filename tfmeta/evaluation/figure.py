"""The figures that tasks are measured by, one of each sort of task."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Figure:
    """How a figure is called, ranked and written.

    Attributes:
        name: As results and their files call it.
        title: In words, where the number alone would not say what it is.
        most: What it cannot exceed; the least is 0.
        higher_is_better: Whether the better learner has the higher one.
        scale: What it is multiplied by where it is written.
        form: Format of the number that is written.
        unit: What is written after it.
        difference_unit: What is written after a difference of two.
    """

    name: str
    title: str
    most: float
    higher_is_better: bool
    scale: float
    form: str
    unit: str
    difference_unit: str

    def number(self, value: float, *, sign: str = "") -> str:
        """A value as it is written, without its unit.

        Args:
            value: The value.
            sign: `"+"` to write the sign of a difference.
        """
        return self.signed(sign).format(self.scale * value)

    def signed(self, sign: str) -> str:
        """The format, with a sign."""
        return "{:" + sign + self.form + "}"


ACCURACY = Figure("accuracy", "", 1.0, True, 100.0, ".2f", " %", " points")
SQUARED_ERROR = Figure(
    name="mean_squared_error",
    title="mean squared error ",
    most=math.inf,
    higher_is_better=False,
    scale=1.0,
    form=".4g",
    unit=" (lower is better)",
    difference_unit=" of the mean squared error (lower is better)",
)
RETURN = Figure(
    name="return_after",
    title="return ",
    most=math.inf,
    higher_is_better=True,
    scale=1.0,
    form=".4g",
    unit="",
    difference_unit=" of the return",
)
FIGURES = {figure.name: figure for figure in (ACCURACY, SQUARED_ERROR, RETURN)}
_OF_TASKS = {"regression": SQUARED_ERROR, "control": RETURN}


def figure_of(task: str) -> Figure:
    """The figure of a learner's `task`."""
    return _OF_TASKS.get(task, ACCURACY)
