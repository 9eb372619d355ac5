"""Small tasks of known numbers."""

import numpy as np


def tasks(count=4, *, rows=12, features=3, ways=3, seed=0):
    """Rows `(count, rows, features)` around a centre of each class, one-hot labels."""
    rng = np.random.default_rng(seed)
    labels = np.stack([rng.permutation(np.arange(rows) % ways) for _ in range(count)])
    centres = rng.normal(size=(count, ways, features))
    found = np.take_along_axis(centres, labels[:, :, None], axis=1)
    found = found + 0.3 * rng.normal(size=found.shape)
    return found.astype("float32"), np.eye(ways, dtype="float32")[labels]


def padded(rows, labels, count=2):
    """The same tasks with rows behind that are none."""
    more = np.full((len(rows), count, rows.shape[2]), np.nan, "float32")
    nothing = np.zeros((len(rows), count, labels.shape[2]), "float32")
    return np.concatenate([rows, more], 1), np.concatenate([labels, nothing], 1)
