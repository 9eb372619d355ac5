"""A head fitted many times on parts of the same features, as tasks of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfmeta.estimation.head_graphs import as_floats, fitting_graph

# Numbers of the supports and of their labels that are in memory at once.
_AT_ONCE = 2**23


class Split(NamedTuple):
    """Rows that a head is fitted on, and rows that it is asked.

    Attributes:
        train: Int `(support,)`.
        test: Int `(queries,)`, at least one.
    """

    train: np.ndarray
    test: np.ndarray


class Refits:
    """Fits a head anew for every split of the same examples.

    Splits of about one size are tasks of one batch, which is padded.

    Args:
        head: A learner on features, as of `head_on_features`.
        features: Float32 or float64 `(examples, features)`.
        labels: Int `(examples,)`, in `[0, ways)`.
        ways: Number of classes. A class without a row in a split has no probability.
    """

    def __init__(
        self, head: Any, features: np.ndarray, labels: np.ndarray, ways: int
    ) -> None:
        self._features = as_floats(features)
        self._labels = np.asarray(labels, np.int32)
        self._ways = ways
        self._head = head
        self._fit = fitting_graph(head, self._features.dtype)

    def logits(
        self,
        splits: Sequence[Split],
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The logits of each split's queries.

        Args:
            splits: The splits.
            on_progress: Called with the number of splits done, and of all.

        Yields:
            The place of a split among them, and its `(queries, ways)` in the dtype of
            the features; in another order than they were given. `-inf` for absent
            classes.

        Raises:
            ValueError: When a logit of a class that is there is not a number.
        """
        done = 0
        for places in self._batches(splits):
            part = [splits[place] for place in places]
            rows, mask = _padded([split.train for split in part])
            asked, _ = _padded([split.test for split in part])
            state = self._fit(
                tf.constant(self._features[rows]),
                tf.one_hot(self._labels[rows], self._ways, dtype=self._features.dtype),
                tf.constant(mask),
            )
            queries = tf.constant(self._features[asked])
            answers = self._head.compare_embeddings(state, queries).numpy()
            for place, split, logits in zip(places, part, answers, strict=True):
                found = logits[: len(split.test)]
                if np.isnan(found).any():
                    raise ValueError(
                        "the logits of a head must be numbers. Received: NaN for "
                        f"{np.isnan(found).any(axis=1).sum()} of {len(found)} queries"
                    )
                yield place, found
            done += len(places)
            if on_progress is not None:
                on_progress(done, len(splits))

    def _batches(self, splits: Sequence[Split]) -> Iterator[list[int]]:
        width = self._features.shape[1] + self._ways
        batch: list[int] = []
        largest = 0
        for place in sorted(range(len(splits)), key=lambda p: len(splits[p].train)):
            size = (len(splits[place].train) + len(splits[place].test)) * width
            largest = max(largest, size)
            if batch and largest * (len(batch) + 1) > _AT_ONCE:
                yield batch
                batch, largest = [], size
            batch.append(place)
        if batch:
            yield batch


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis, 0 where a logit is `-inf`."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def _padded(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rows one below the other, and which of them are real."""
    longest = max(map(len, rows))
    out = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros((len(rows), longest), bool)
    for place, one in enumerate(rows):
        out[place, : len(one)], mask[place, : len(one)] = one, True
    return out, mask
