"""The task table: rows with targets grouped by task, the source of regression."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tfmeta.finite_checks import check_finite


class Standardization(NamedTuple):
    """What takes the features and targets of some rows to mean 0 and deviation 1.

    Attributes:
        feature_mean: Float64 `(features,)`.
        feature_scale: Float64 `(features,)`, above 0; 1 for a constant column.
        target_mean: Float64 `(outputs,)`.
        target_scale: Float64 `(outputs,)`, likewise.
    """

    feature_mean: np.ndarray
    feature_scale: np.ndarray
    target_mean: np.ndarray
    target_scale: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class TaskTable:
    """Rows of numbers with targets, grouped by task.

    Rows `offsets[t]:offsets[t + 1]` belong to task `t`: the houses of a town, the
    readings of a sensor.

    Args:
        name: Name of the data set. It prefixes `origins`.
        features: Float array `(rows, features)`, finite, grouped by task.
        targets: Float array `(rows, outputs)`, finite, of the same dtype.
        offsets: Integer array `(tasks + 1,)`: where each task begins, and the end.
        task_names: One name per task.
        feature_names: One name per column of `features`.
        target_names: One name per column of `targets`.
        description: One line on where the rows come from.
        notes: What was left out where they were read, one sentence each.

    Raises:
        ValueError: When the parts do not fit each other, a number is NaN or infinite,
            a task has no row, or two share a name.

    Example:

    ```python
    table = TaskTable.from_arrays(
        "houses", rooms_and_size, prices, towns, target_names=["price"]
    )
    table.num_tasks, table.task_sizes
    ```
    """

    name: str
    features: np.ndarray
    targets: np.ndarray
    offsets: np.ndarray
    task_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    description: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets, np.int64)
        object.__setattr__(self, "offsets", offsets)
        for field, names in (
            ("features", self.feature_names),
            ("targets", self.target_names),
        ):
            values = getattr(self, field)
            if values.ndim != 2 or values.dtype.kind != "f":
                raise ValueError(
                    f"`{field}` of table {self.name!r} must be floats (rows, columns). "
                    f"Received: {values.dtype} of shape {values.shape}"
                )
            if values.shape[1] != len(names) or not names:
                raise ValueError(
                    f"`{field}` of table {self.name!r} must have a column for each of "
                    f"the names {', '.join(names)}, one or more. Received: shape "
                    f"{values.shape}"
                )
            check_finite(field, values)
        if len(self.features) != len(self.targets):
            raise ValueError(
                f"`targets` of table {self.name!r} must have as many rows as "
                f"`features`, {len(self.features)}. Received: {len(self.targets)}"
            )
        counts = np.diff(offsets)
        fits = offsets.shape == (len(self.task_names) + 1,) and len(counts) > 0
        if not fits or offsets[0] != 0 or offsets[-1] != len(self.features):
            raise ValueError(
                f"`offsets` of table {self.name!r} must be where each of "
                f"{len(self.task_names)} tasks begins, one or more, and the end, "
                f"{len(self.features)}. Received: {offsets.tolist()[:5]}"
            )
        if counts.min() < 1 or len(set(self.task_names)) < len(self.task_names):
            raise ValueError(
                f"tasks of table {self.name!r} must have a row each, and names of "
                f"their own. Received: {', '.join(self.task_names[:5])}, of "
                f"{counts.min()} rows or more"
            )

    @classmethod
    def from_arrays(
        cls,
        name: str,
        features: np.ndarray,
        targets: np.ndarray,
        tasks: Sequence[str],
        *,
        feature_names: Sequence[str] | None = None,
        target_names: Sequence[str] | None = None,
        description: str = "",
        notes: tuple[str, ...] = (),
    ) -> TaskTable:
        """Groups rows by their tasks; tasks come out sorted.

        Args:
            name: Name of the data set.
            features: Numbers `(rows, features)`.
            targets: Numbers `(rows, outputs)`, or `(rows,)` for one.
            tasks: Name of the task of each row.
            feature_names: One for each column, by default `x0`, `x1`, ...
            target_names: One for each column, by default `y0`, `y1`, ...
            description: One line on where the rows come from.
            notes: As of `TaskTable`.

        Returns:
            The table, in float64; the rows of a task in the order given.

        Raises:
            ValueError: When the numbers of rows differ, and as of `TaskTable`.
        """
        features = np.asarray(features, np.float64)
        targets = np.asarray(targets, np.float64)
        targets = targets[:, None] if targets.ndim == 1 else targets
        if not len(tasks) == len(features) == len(targets):
            raise ValueError(
                "`features`, `targets` and `tasks` must have a row each of the same. "
                f"Received: {len(features)}, {len(targets)} and {len(tasks)}"
            )
        names, codes = np.unique(np.asarray(tasks, str), return_inverse=True)
        order = np.argsort(codes, kind="stable")
        sizes = np.bincount(codes, minlength=len(names))
        return cls(
            name=name,
            features=features[order],
            targets=targets[order],
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
            task_names=tuple(map(str, names)),
            feature_names=_names(feature_names, "x", features),
            target_names=_names(target_names, "y", targets),
            description=description,
            notes=notes,
        )

    @property
    def num_tasks(self) -> int:
        """The number of tasks."""
        return len(self.task_names)

    @property
    def num_rows(self) -> int:
        """The number of rows of all tasks together."""
        return len(self.features)

    @cached_property
    def task_sizes(self) -> np.ndarray:
        """Int64 `(tasks,)`: the number of rows of each."""
        return np.diff(self.offsets)

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """Per task, `name/` and its name; splits are disjoint when they share none."""
        return tuple(f"{self.name}/{name}" for name in self.task_names)

    def take_tasks(self, ids: Sequence[int]) -> TaskTable:
        """A table of some of the tasks, in the order given; the others' rows are left.

        Raises:
            ValueError: When there is none.
        """
        if not len(ids):
            raise ValueError(
                f"`ids` must name at least one task of table {self.name!r}. Received: "
                "none"
            )
        rows = [np.arange(self.offsets[t], self.offsets[t + 1]) for t in ids]
        of_tasks = np.concatenate(rows)
        return dataclasses.replace(
            self,
            features=self.features[of_tasks],
            targets=self.targets[of_tasks],
            offsets=np.cumsum([0, *map(len, rows)]),
            task_names=tuple(self.task_names[t] for t in ids),
        )

    def standardization(self) -> Standardization:
        """Means and deviations of all rows; a constant column has the scale 1.

        Raises:
            ValueError: When numbers are too large to have a deviation.
        """
        parts: list[np.ndarray] = []
        for name, values in (("features", self.features), ("targets", self.targets)):
            with np.errstate(over="ignore", invalid="ignore"):
                mean = values.mean(axis=0, dtype=np.float64)
                scale = values.std(axis=0, dtype=np.float64)
            check_finite(name, [mean, scale])
            # The deviation of equal numbers may be what rounding leaves of their mean.
            constant = np.ptp(values, axis=0) == 0
            parts += [mean, np.where(constant | (scale == 0), 1.0, scale)]
        return Standardization(*parts)

    def standardized(self, by: Standardization) -> TaskTable:
        """The table in units of deviations, float32, as networks are trained on it.

        Args:
            by: Of the training tasks, whatever tasks these are.
        """
        features = (self.features - by.feature_mean) / by.feature_scale
        targets = (self.targets - by.target_mean) / by.target_scale
        return dataclasses.replace(
            self,
            features=features.astype(np.float32),
            targets=targets.astype(np.float32),
        )


def _names(
    given: Sequence[str] | None, letter: str, values: np.ndarray
) -> tuple[str, ...]:
    if given is not None:
        return tuple(given)
    return tuple(f"{letter}{number}" for number in range(values.shape[-1]))
