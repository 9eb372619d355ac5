"""Examples that are there twice, which would be asked by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfmeta.estimation.expectation import Double

# Cosine of features from which on two examples are nearly the same. No two of 800
# pictures of miniImageNet's validation classes reach 0.88 (EfficientNet-Lite0); texts
# that reach it are the same but for a word (WordLlama).
NEARLY = 0.97
# Directions of fewer numbers are alike by chance.
_LEAST_FEATURES = 32
# Rows among which near ones are looked for; of more, those of equal content alone.
MOST_ROWS = 10_000
_AT_ONCE = 2**22
# Cosine of features that differ by rounding.
_EQUAL = 1 - 1e-5


class Links(NamedTuple):
    """Of each example an earlier one that is the same, or nearly so.

    Attributes:
        earlier: Int `(examples,)`, -1 where there is none.
        similarity: Float `(examples,)`, the cosine to it.
        equal: Bool `(examples,)`, whether the content of both is equal.
        groups: Int `(examples,)`, the first example of those that are linked.
    """

    earlier: np.ndarray
    similarity: np.ndarray
    equal: np.ndarray
    groups: np.ndarray

    @property
    def twice(self) -> np.ndarray:
        """The examples that an earlier one is linked to, the most alike first."""
        rows = np.flatnonzero(self.earlier >= 0)
        return rows[np.lexsort((rows, -self.similarity[rows], ~self.equal[rows]))]


def find_links(
    features: np.ndarray, digests: np.ndarray | None, *, nearly: bool = True
) -> Links:
    """Links every example with the earlier one that is the most like it.

    Equal content first; without digests, equal features. Then the nearest, where the
    cosine is at least `NEARLY`. Each example has one link at most, so that a hundred
    copies of one are a hundred links.

    Args:
        features: Float32 `(examples, features)`.
        digests: Uint8 `(examples, bytes)`, of the content of each.
        nearly: Whether those that are nearly the same are linked, too.
    """
    count = len(features)
    content = features if digests is None else digests
    _, first, inverse = np.unique(
        _as_bytes(content), return_index=True, return_inverse=True
    )
    # `np.unique` promises the first of equal ones.
    same = first[inverse.reshape(-1)]
    rows = np.arange(count)
    equal = same < rows
    earlier = np.where(equal, same, -1)
    similarity = np.where(equal, 1.0, 0.0)
    if nearly and features.shape[1] >= _LEAST_FEATURES and count <= MOST_ROWS:
        one_each = rows[~equal]
        places, cosines = _nearest_earlier(features[one_each])
        near = cosines >= NEARLY
        earlier[one_each[near]] = one_each[places[near]]
        similarity[one_each[near]] = np.minimum(cosines[near], 1.0)
    groups = rows.copy()
    for row in np.flatnonzero(earlier >= 0):
        groups[row] = groups[earlier[row]]
    return Links(earlier, similarity, equal, groups)


def _as_bytes(rows: np.ndarray) -> np.ndarray:
    rows = np.ascontiguousarray(rows)
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]


def _nearest_earlier(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row the earlier one with the largest cosine, and that cosine."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(lengths > 0, lengths, 1.0)
    count = len(unit)
    places, cosines = np.zeros(count, np.int64), np.full(count, -1.0)
    step = max(1, _AT_ONCE // max(count, 1))
    for start in range(0, count, step):
        end = min(count, start + step)
        products = unit[start:end] @ unit[:end].T
        # What is later, and the row itself.
        here = np.arange(start, end)[:, None]
        products[np.arange(end)[None] >= here] = -1.0
        places[start:end] = products.argmax(axis=1)
        cosines[start:end] = products.max(axis=1)
    return places, cosines


def same_classes(links: Links, labels: np.ndarray) -> tuple[int, int] | None:
    """Two classes that hold the same examples, or `None`.

    Args:
        links: Of the examples.
        labels: Int `(examples,)`.
    """
    sure = links.equal | (links.similarity >= _EQUAL)
    groups = np.arange(len(labels))
    for row in np.flatnonzero(sure):
        groups[row] = groups[links.earlier[row]]
    seen: dict[frozenset, int] = {}
    for label in range(int(labels.max()) + 1):
        key = frozenset(groups[labels == label].tolist())
        if key in seen:
            return seen[key], label
        seen[key] = label
    return None


def doubles_of(
    links: Links,
    labels: np.ndarray,
    class_names: Sequence[str],
    examples: Sequence[str],
    most: int,
) -> tuple[Double, ...]:
    """The most alike as values of an expectation, at most so many."""
    return tuple(
        Double(
            rows=(int(first), int(row)),
            examples=(examples[first], examples[row]),
            labels=(class_names[labels[first]], class_names[labels[row]]),
            similarity=float(links.similarity[row]),
            equal=bool(links.equal[row]),
        )
        for row in links.twice[:most]
        for first in (links.earlier[row],)
    )
