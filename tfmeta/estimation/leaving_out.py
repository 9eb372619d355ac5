"""Every example asked by a head that learned from others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tfmeta.estimation.refits import Refits, Split, softmax


class LeftOut(NamedTuple):
    """Examples that were asked by others, and what was answered.

    Attributes:
        logits: Float32 `(asked, ways)`.
        rows: Int `(asked,)`, the examples.
        split: Int `(asked,)`, the place of the split in which each was asked.
        right: Bool `(asked,)`, whether the answer is the class.
    """

    logits: np.ndarray
    rows: np.ndarray
    split: np.ndarray
    right: np.ndarray

    def where(self, chosen: np.ndarray) -> LeftOut:
        """Some of them."""
        return LeftOut(*(part[chosen] for part in self))

    def probabilities(self, examples: int) -> np.ndarray:
        """Float32 `(examples, ways)`, the mean of each; NaN where it was not asked."""
        sums = np.zeros((examples, self.logits.shape[1]))
        np.add.at(sums, self.rows, softmax(self.logits.astype(np.float64)))
        times = np.bincount(self.rows, minlength=examples)[:, None]
        found = np.full(sums.shape, np.nan, np.float32)
        np.divide(sums, times, out=found, where=times > 0, casting="same_kind")
        return found


def leave_out(
    refits: Refits,
    splits: Sequence[Split],
    labels: np.ndarray,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> LeftOut:
    """Asks the queries of every split, in the order of the splits.

    Args:
        refits: Of the head.
        splits: The splits.
        labels: Int `(examples,)`.
        on_progress: Called with the number of fits done, and of all.
    """
    logits: list[np.ndarray] = [np.empty(0)] * len(splits)
    for place, found in refits.logits(splits, on_progress=on_progress):
        logits[place] = found
    every = np.concatenate(logits)
    rows = np.concatenate([split.test for split in splits])
    return LeftOut(
        logits=every,
        rows=rows,
        split=np.repeat(np.arange(len(splits)), [len(s.test) for s in splits]),
        right=every.argmax(axis=1) == labels[rows],
    )
