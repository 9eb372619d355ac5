"""What an estimator has learned from: features, their labels and their weights."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

_KINDS = {"b": "booleans", "i": "numbers", "u": "numbers", "f": "numbers"}


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """Features of examples with their classes.

    Attributes:
        classes: `(classes,)`, sorted, each once.
        features: Float64 `(examples, features)`.
        codes: Int `(examples,)`, places in `classes`.
        weights: Float64 `(examples,)`, for how many each counts, at least 0.
    """

    classes: np.ndarray
    features: np.ndarray
    codes: np.ndarray
    weights: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """Bool `(classes,)`: those with an example that counts."""
        return np.bincount(self.codes, self.weights, len(self.classes)) > 0

    def counted(self) -> LabelledFeatures:
        """Without examples of weight 0.

        Raises:
            ValueError: When no example would be left.
        """
        kept = self.weights > 0
        if not kept.any():
            raise ValueError(
                "`sample_weight` must hold at least one non-zero number. Received: "
                f"{len(kept)} weights that are all zero"
            )
        rows = (self.features[kept], self.codes[kept], self.weights[kept])
        return LabelledFeatures(self.classes, *rows)

    def with_further(self, others: LabelledFeatures) -> LabelledFeatures:
        """These examples, then others; with the classes of both."""
        classes = np.union1d(self.classes, others.classes)
        codes = [np.searchsorted(classes, p.classes)[p.codes] for p in (self, others)]
        return LabelledFeatures(
            classes,
            np.concatenate([self.features, others.features]),
            np.concatenate(codes),
            np.concatenate([self.weights, others.weights]),
        )


def check_labels(
    labels: np.ndarray, argument: str, *, like: np.ndarray | None = None
) -> None:
    """Checks that labels name classes, and can be sorted.

    Args:
        labels: `(examples,)`.
        argument: What they are called.
        like: Labels of the kind that they are to be of.

    Raises:
        ValueError: When they are neither texts, integers (also as floats) nor
            booleans, or of another kind than `like`.
    """
    with contextlib.suppress(TypeError):  # Of several kinds, which is said below.
        check_classification_targets(labels)
    kind = _kind(labels)
    if kind is None:
        raise ValueError(
            f"`{argument}` must be labels of one kind: texts, integers or booleans. "
            f"Received: labels of several, as {labels[:3].tolist()!r:.80}"
        )
    if like is not None and kind != _kind(like):
        raise ValueError(
            f"`{argument}` must be labels of the kind of the others, {_kind(like)}. "
            f"Received: {kind}, as {labels[:3].tolist()!r:.80}"
        )


def checked_weights(sample_weight: Any, features: np.ndarray) -> np.ndarray:
    """Weights of examples, float64 `(examples,)`, 1 by default.

    Raises:
        ValueError: When there is not one for each, or one is negative or not finite.
    """
    return _check_sample_weight(
        sample_weight, features, dtype=np.float64, ensure_non_negative=True
    )


def _kind(labels: np.ndarray) -> str | None:
    if labels.dtype.kind in "UO":
        return "texts" if all(isinstance(one, str) for one in labels) else None
    return _KINDS.get(labels.dtype.kind)
