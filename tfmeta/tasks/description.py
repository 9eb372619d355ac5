"""What is known of tasks before any distance is learned: numbers of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Description:
    """Numbers of tasks, of which a distance is made or learned.

    Attributes:
        common: `(tasks, numbers)`: what is of a task as a whole.
        of_classes: `(tasks, classes, numbers)`: what is of its classes, whose order
            means nothing; no numbers where there is nothing of that kind.
        present: Bool `(tasks, classes)`: which of them a task has.
    """

    common: np.ndarray
    of_classes: np.ndarray
    present: np.ndarray

    def __len__(self) -> int:
        return len(self.common)

    def __getitem__(self, tasks: slice | np.ndarray) -> Description:
        return Description(
            self.common[tasks], self.of_classes[tasks], self.present[tasks]
        )

    def flat(self) -> np.ndarray:
        """`(tasks, numbers)`: what is common, beside mean and spread over classes."""
        weights = self.present[:, :, np.newaxis].astype(np.float32)
        count = np.maximum(weights.sum(axis=1), 1)
        mean = (weights * self.of_classes).sum(axis=1) / count
        centred = weights * (self.of_classes - mean[:, np.newaxis])
        spread = np.sqrt((centred**2).sum(axis=1) / count)
        return np.concatenate([self.common, mean, spread], axis=1)


class Describer:
    """Describes tasks by their labelled examples; subclasses say how.

    A description is the same for any order of the examples and, its classes put in
    another order, for any names of them.
    """

    def __call__(self, rows: np.ndarray, labels: np.ndarray) -> Description:
        """Describes tasks.

        Args:
            rows: Features of examples, float `(tasks, rows, features)`.
            labels: One-hot `(tasks, rows, ways)`, 0 in padded rows, whose features
                play no part; of regression numbers `(tasks, rows, outputs)`.
        """
        raise NotImplementedError


def real_rows(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows with 0 for padding, float32, and which are real, float32 `(tasks, rows)`.

    Raises:
        ValueError: When the shapes do not fit, or a real row is not finite.
    """
    rows = np.asarray(rows, np.float32)
    labels = np.asarray(labels, np.float32)
    if rows.ndim != 3 or labels.ndim != 3 or rows.shape[:2] != labels.shape[:2]:
        raise ValueError(
            "`rows` must be (tasks, rows, features) and `labels` (tasks, rows, ways), "
            f"of the same tasks and rows. Received: shapes {rows.shape} and "
            f"{labels.shape}"
        )
    real: np.ndarray = np.any(labels > 0, axis=-1)
    rows = np.where(real[:, :, np.newaxis], rows, np.float32(0))
    if not np.isfinite(rows).all():
        raise ValueError("`rows` must be finite. Received: NaN or infinity")
    return rows, real.astype(np.float32)


def in_parts(
    function: Callable[..., list[tf.Tensor]], *arrays: np.ndarray
) -> list[np.ndarray]:
    """Its NumPy results for all tasks, some hundred of them at a time."""
    parts = [
        [part.numpy() for part in function(*(a[n : n + 512] for a in arrays))]
        for n in range(0, len(arrays[0]), 512)
    ]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]
