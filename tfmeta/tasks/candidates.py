"""Encoders to choose among: how good each is on tasks that are known."""

from __future__ import annotations

import numpy as np

from tfmeta.tasks.drawn_tasks import DrawnTasks


def nearest_mean_accuracies(drawn: DrawnTasks) -> np.ndarray:
    """Accuracy of the nearest class mean on the queries of each task, `(tasks,)`.

    Features are brought to length 1 first, as in SimpleShot.

    Args:
        drawn: Tasks of what an encoder makes of examples.
    """
    support, query = (_unit(part) for part in (drawn.support, drawn.query))
    count = np.maximum(drawn.labels.sum(axis=1), 1)[:, :, np.newaxis]
    means = np.matmul(drawn.labels.transpose(0, 2, 1), support) / count
    # Of the squared distance what depends on the class.
    scores = 2 * np.matmul(query, means.transpose(0, 2, 1))
    scores -= (means**2).sum(axis=-1)[:, np.newaxis]
    right = scores.argmax(axis=-1) == drawn.query_labels.argmax(axis=-1)
    accuracies: np.ndarray = right.mean(axis=1)
    return accuracies


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: np.ndarray = rows / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit
