"""What a measurement of regression found: errors of test tasks, with intervals."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypedDict

import numpy as np

from tfmeta.evaluation.intervals import student_t
from tfmeta.finite_checks import check_finite, check_some
from tfmeta.printable import one_line

# In the order in which they are shown, the learner first.
METHODS = {
    "learner": "learner",
    "ridge": "ridge on the support",
    "support_mean": "mean of the support",
}


@dataclasses.dataclass(frozen=True)
class TaskMean:
    """A mean over test tasks.

    Attributes:
        mean: The mean.
        half_width: Of its 95 % interval over tasks, by Student's t; `None` where there
            is one task alone.
    """

    mean: float
    half_width: float | None

    @classmethod
    def of(cls, values: np.ndarray) -> TaskMean:
        """Of one number for each task, Float `(tasks,)`."""
        check_finite("values", values)
        count, mean = len(values), float(np.mean(values))
        if count < 2:
            return cls(mean, None)
        spread = float(np.std(values, ddof=1)) / math.sqrt(count)
        return cls(mean, student_t(count - 1) * spread)

    def text(self, *, sign: str = "") -> str:
        """With two digits of the half-width, e.g. "12.3 ± 1.1" or "28,400 ± 2,300"."""
        half = self.half_width
        if not half:
            return f"{self.mean:{sign},.4g}"
        digits = 1 - math.floor(math.log10(half))
        if not -9 < digits < 9:
            return f"{self.mean:{sign}.4g} ± {half:.2g}"
        shown = max(digits, 0)
        return (
            f"{round(self.mean, digits):{sign},.{shown}f} ± "
            f"{round(half, digits):,.{shown}f}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"mean": self.mean, "half_width": self.half_width}


class KeptErrors(TypedDict):
    """Errors of one way to predict, in a file: by task, then by target."""

    squared: list[list[float]]
    absolute: list[list[float]]


class KeptRegression(TypedDict):
    """A `RegressionResult`, in a file."""

    protocol: dict[str, Any]
    learner: str
    transductive: bool
    tasks: list[str]
    targets: list[str]
    errors: dict[str, KeptErrors]


@dataclasses.dataclass(frozen=True, eq=False)
class RegressionResult:
    """Errors of a learner on test tasks, beside those of what the support alone says.

    A task is measured by several episodes and is one number then: tasks are the unit of
    every interval, as it is new tasks that a learner is for.

    Attributes:
        protocol: What was measured: data and their fingerprint, shots, queries,
            episodes, seed. Two results compare only when it is equal.
        learner: What the learner is called.
        transductive: Whether a prediction depended on other queries.
        task_names: The test tasks.
        targets: Names of what is predicted.
        squared: Mean squared errors, float64 `(tasks, targets)`, of each of `METHODS`.
        absolute: Mean absolute errors, likewise.
    """

    protocol: dict[str, Any]
    learner: str
    transductive: bool
    task_names: tuple[str, ...]
    targets: tuple[str, ...]
    squared: dict[str, np.ndarray]
    absolute: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        shape = (len(self.task_names), len(self.targets))
        for name, errors in (("squared", self.squared), ("absolute", self.absolute)):
            if set(errors) != set(METHODS):
                raise ValueError(
                    f"`{name}` must have errors of {', '.join(METHODS)}. Received: "
                    f"{', '.join(errors)}"
                )
            for values in errors.values():
                check_finite(name, values)
                check_some(name, values)
                if values.shape != shape or values.min() < 0:
                    raise ValueError(
                        f"`{name}` must be (tasks, targets), {shape}, of at least 0. "
                        f"Received: shape {values.shape}"
                    )

    @property
    def root_squared(self) -> dict[str, np.ndarray]:
        """Root mean squared error of each task, float64 `(tasks, targets)`."""
        return {method: np.sqrt(values) for method, values in self.squared.items()}

    def rmse(self, target: int = 0, *, method: str = "learner") -> TaskMean:
        """Mean over tasks of the root mean squared error, in units of the target."""
        return TaskMean.of(self.root_squared[method][:, target])

    def mae(self, target: int = 0, *, method: str = "learner") -> TaskMean:
        """Mean over tasks of the mean absolute error, in units of the target."""
        return TaskMean.of(self.absolute[method][:, target])

    def rmse_below(self, method: str, target: int = 0) -> TaskMean:
        """How far the learner's RMSE lies below another's, task by task.

        Negative where the learner is worse.
        """
        errors = self.root_squared
        return TaskMean.of(errors[method][:, target] - errors["learner"][:, target])

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values with the errors of every task."""
        figures = {
            target: {
                method: {
                    "rmse": self.rmse(place, method=method).to_json(),
                    "mae": self.mae(place, method=method).to_json(),
                }
                for method in METHODS
            }
            for place, target in enumerate(self.targets)
        }
        return {
            "protocol": self.protocol,
            "figure": "root_mean_squared_error",
            "learner": self.learner,
            "transductive": self.transductive,
            "figures": figures,
            "tasks": list(self.task_names),
            "targets": list(self.targets),
            "errors": {
                method: {
                    "squared": self.squared[method].tolist(),
                    "absolute": self.absolute[method].tolist(),
                }
                for method in METHODS
            },
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RegressionResult:
        """The result of a `to_json`."""
        errors = values["errors"]

        def read(kind: str) -> dict[str, np.ndarray]:
            return {m: np.array(errors[m][kind], np.float64) for m in METHODS}

        return cls(
            protocol=values["protocol"],
            learner=values["learner"],
            transductive=values["transductive"],
            task_names=tuple(values["tasks"]),
            targets=tuple(values["targets"]),
            squared=read("squared"),
            absolute=read("absolute"),
        )

    def __str__(self) -> str:
        p = self.protocol
        count = len(self.task_names)
        kind = "transductive" if self.transductive else "inductive"
        lines = [
            f"{p['shots']} rows, {p['queries']} queries on {p['table']}, {kind}: "
            f"{count:,} test task{'' if count == 1 else 's'}, {p['episodes']:,} "
            f"episodes, seed {p['seed']}",
        ]
        for place, target in enumerate(self.targets):
            lines.append(f"  {target}, mean over tasks")
            lines.append(f"    {'':22}{'RMSE':22}{'MAE':22}RMSE below it")
            for method, words in METHODS.items():
                own = method == "learner"
                name = self.learner if own else words
                rmse = self.rmse(place, method=method).text()
                mae = self.mae(place, method=method).text()
                line = f"    {name:22}{rmse:22}{mae:22}"
                if not own:
                    line += self.rmse_below(method, place).text(sign="+")
                lines.append(line.rstrip())
        if count > 1:
            lines.append(
                f"  ± is 95 % over test tasks ({count:,}, Student's t); below it: how "
                f"far {self.learner} is, task by task"
            )
        else:
            lines.append("  no interval: one test task says nothing of others")
        return "\n".join(map(one_line, lines))
