"""Which class was taken for which."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from tfmeta.finite_checks import check_finite


@dataclasses.dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of wrong answers, one entry for each pair of classes that has any.

    There may be thousands of classes, and few of all pairs meet. Pairs are sorted.

    Attributes:
        true: Int64 `(pairs,)`: class ids.
        taken_for: Int64 `(pairs,)`: class ids, each another one than the true.
        count: Int64 `(pairs,)`: at least 1.
    """

    true: np.ndarray
    taken_for: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, true: np.ndarray, answered: np.ndarray) -> Confusion:
        """The wrong ones among answers, arrays of class ids of one shape."""
        true, answered = np.ravel(true), np.ravel(answered)
        check_finite("true", true)
        check_finite("answered", answered)
        return cls._counted(true, answered, np.ones(len(true), np.int64))

    @classmethod
    def sum(cls, parts: Iterable[Confusion]) -> Confusion:
        """All of them together."""
        empty = np.zeros(0, np.int64)
        columns = [(part.true, part.taken_for, part.count) for part in parts]
        joined = zip(*[(empty,) * 3, *columns], strict=True)
        return cls._counted(*(np.concatenate(column) for column in joined))

    @classmethod
    def _counted(
        cls, true: np.ndarray, answered: np.ndarray, count: np.ndarray
    ) -> Confusion:
        wrong = true != answered
        # Numbers are sorted much faster than pairs of numbers are.
        ids, place = np.unique([true[wrong], answered[wrong]], return_inverse=True)
        first, second = place.reshape(2, -1).astype(np.int64)
        pairs, place = np.unique(first * len(ids) + second, return_inverse=True)
        counts = np.bincount(place, count[wrong], len(pairs)).astype(np.int64)
        ids = ids.astype(np.int64)
        first, second = np.divmod(pairs, max(len(ids), 1))
        return cls(ids[first], ids[second], counts)

    @property
    def total(self) -> int:
        """Number of wrong answers."""
        return int(self.count.sum())

    def most_confused(self, pairs: int) -> list[tuple[int, int, int]]:
        """The most frequent `(true, taken for, count)`, most frequent first."""
        order = np.argsort(-self.count, kind="stable")[:pairs]
        return [
            (int(self.true[i]), int(self.taken_for[i]), int(self.count[i]))
            for i in order
        ]

    def among(self, classes: Sequence[int]) -> np.ndarray:
        """Int64 matrix of the classes: row is true, column is answered.

        The diagonal is 0: right answers are no confusion.
        """
        place = {class_id: i for i, class_id in enumerate(classes)}
        matrix = np.zeros((len(place), len(place)), np.int64)
        for true, taken, count in zip(
            self.true.tolist(),
            self.taken_for.tolist(),
            self.count.tolist(),
            strict=True,
        ):
            if true in place and taken in place:
                matrix[place[true], place[taken]] = count
        return matrix

    def by_true_class(self) -> dict[int, dict[int, int]]:
        """For each class with wrong answers: class taken for to count."""
        found: dict[int, dict[int, int]] = {}
        for true, taken, count in zip(
            self.true.tolist(),
            self.taken_for.tolist(),
            self.count.tolist(),
            strict=True,
        ):
            found.setdefault(true, {})[taken] = count
        return found
