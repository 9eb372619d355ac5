"""Tasks described by the mean and covariance of their features."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.tasks.description import Describer, Description, real_rows


@dataclasses.dataclass(frozen=True)
class FeatureStatistics(Describer):
    """Mean and covariance of all examples, and the mean of each class.

    It needs no network of the task, and labels only for the means of classes.

    Args:
        covariance: Whether covariances stand beside the mean: `"none"`, `"diagonal"`,
            the variances, or `"full"`, the upper triangle, of `d (d + 1) / 2` numbers.
            Those beside the diagonal are multiplied by the square root of 2, so that
            squared distances are those of whole matrices.

    Raises:
        ValueError: For another word.
    """

    covariance: str = "diagonal"

    def __post_init__(self) -> None:
        if self.covariance not in ("none", "diagonal", "full"):
            raise ValueError(
                "`covariance` must be none, diagonal or full. Received: "
                f"covariance={self.covariance!r}"
            )

    def __call__(self, rows: np.ndarray, labels: np.ndarray) -> Description:
        """See `Describer`; `of_classes` holds the means `(tasks, ways, features)`."""
        rows, real = real_rows(rows, labels)
        labels = np.asarray(labels, np.float32)
        count = np.maximum(real.sum(axis=1), 1)[:, np.newaxis]
        mean = rows.sum(axis=1) / count
        common = [mean]
        centred = real[:, :, np.newaxis] * (rows - mean[:, np.newaxis])
        if self.covariance == "diagonal":
            common.append((centred**2).sum(axis=1) / count)
        if self.covariance == "full":
            products = np.matmul(centred.transpose(0, 2, 1), centred)
            products /= count[:, :, np.newaxis]
            first, second = np.triu_indices(rows.shape[2])
            scale = np.where(first == second, 1, np.sqrt(2)).astype(np.float32)
            common.append(products[:, first, second] * scale)
        of_class = labels.sum(axis=1)
        sums = np.matmul(labels.transpose(0, 2, 1), rows)
        means = sums / np.maximum(of_class, 1)[:, :, np.newaxis]
        return Description(np.concatenate(common, axis=1), means, of_class > 0)
