"""What is known of tasks before any distance is learned: numbers of each."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Tasks that are described at once: what their networks are made of fits into memory.
_AT_ONCE = 512


@dataclasses.dataclass(frozen=True)
class Description:
    """Numbers of tasks, of which a distance is made or learned.

    Attributes:
        common: `(tasks, numbers)`: what is of a task as a whole.
        of_classes: `(tasks, classes, numbers)`: what is of its classes, whose order
            means nothing; no numbers where there is nothing of that kind.
        present: Bool `(tasks, classes)`: which of them a task has.

    They are NumPy arrays, or tensors in a graph.
    """

    common: Any
    of_classes: Any
    present: Any

    @property
    def parts(self) -> tuple[Any, Any, Any]:
        """All three."""
        return self.common, self.of_classes, self.present

    def __len__(self) -> int:
        return len(self.common)

    def __getitem__(self, tasks: slice | np.ndarray) -> Description:
        return Description(*(part[tasks] for part in self.parts))

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
    another order, for any names of them. A subclass is a dataclass whose fields Keras
    can serialize, and implements `tensors`.
    """

    def __call__(self, rows: np.ndarray, labels: np.ndarray) -> Description:
        """Describes tasks.

        Args:
            rows: Features of examples, float `(tasks, rows, features)`.
            labels: One-hot `(tasks, rows, ways)`, 0 in padded rows, whose features
                play no part; of regression numbers `(tasks, rows, outputs)`.

        Returns:
            Their description, of NumPy arrays.

        Raises:
            ValueError: When the shapes do not fit, or a real row is not finite.
        """
        rows, labels = np.asarray(rows, np.float32), np.asarray(labels, np.float32)
        if rows.ndim != 3 or labels.ndim != 3 or rows.shape[:2] != labels.shape[:2]:
            raise ValueError(
                "`rows` must be (tasks, rows, features) and `labels` (tasks, rows, "
                f"ways), of the same tasks and rows. Received: shapes {rows.shape} and "
                f"{labels.shape}"
            )
        counts = rows if self.regression else rows[np.any(labels > 0, axis=-1)]
        if not (np.isfinite(counts).all() and np.isfinite(labels).all()):
            raise ValueError("`rows` must be finite. Received: NaN or infinity")
        parts = []
        for first in range(0, max(len(rows), 1), _AT_ONCE):
            several = slice(first, first + _AT_ONCE)
            found = self.tensors(tf.constant(rows[several]), labels[several])
            parts.append([np.asarray(part) for part in found.parts])
        return Description(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    @property
    def regression(self) -> bool:
        """Whether labels are numbers that are to be predicted."""
        return False

    def tensors(self, rows: tf.Tensor, labels: tf.Tensor) -> Description:
        """As a call, of tensors and in a graph; what is not finite is not refused."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {
            field.name: keras.saving.serialize_keras_object(getattr(self, field.name))
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Describer:
        """Makes one of its configuration."""
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value)
                for name, value in config.items()
            }
        )


def real_rows(rows: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Rows with 0 for padding, and which are real, `(tasks, rows)` of their dtype."""
    real = tf.reduce_any(labels > 0, axis=-1)
    rows = tf.where(real[:, :, tf.newaxis], rows, tf.zeros([], rows.dtype))
    return rows, tf.cast(real, rows.dtype)
