"""Answers to queries whose classes are known: how many are right, and which not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.task import UNKNOWN
from tfmeta.printable import printable
from tfmeta.runs.confusion_picture import draw_matrix

NONE_OF_THESE = "none of these"

# With more classes those alone are counted that occur.
_MOST_CLASSES = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class CheckedAnswers:
    """Answers beside the truth.

    Attributes:
        names: The classes (of more than 1,000 those that occur); for an open set `"none
            of these"` is the last.
        counts: Int64 `(classes, classes)`: queries by true class and answer.
        what: What the queries are.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    what: str = "pictures"

    @classmethod
    def of(
        cls,
        labels: np.ndarray,
        answers: np.ndarray,
        class_names: Sequence[str],
        *,
        open_set: bool,
        what: str = "pictures",
    ) -> CheckedAnswers:
        """Counts answers.

        Args:
            labels: Int `(queries,)`: the classes, -1 for one that is unknown.
            answers: Int `(queries,)`: likewise.
            class_names: The classes.
            open_set: Whether -1 may occur.
            what: What the queries are.
        """
        if len(class_names) > _MOST_CLASSES:
            both = np.stack([labels, answers])
            occur = np.unique(both[both != UNKNOWN])
            both = np.where(both == UNKNOWN, both, np.searchsorted(occur, both))
            labels, answers = both
            class_names = [class_names[label] for label in occur]
        names = (*class_names, NONE_OF_THESE) if open_set else tuple(class_names)
        counts = np.zeros((len(names), len(names)), np.int64)
        rows, columns = (
            np.where(ids == UNKNOWN, len(class_names), ids) for ids in (labels, answers)
        )
        np.add.at(counts, (rows, columns), 1)
        return cls(names, counts, what)

    @property
    def accuracy(self) -> float:
        """Share of right answers, from 0 to 1."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def recall(self) -> np.ndarray:
        """Float64 `(classes,)`: share of right answers, NaN without queries."""
        totals = self.counts.sum(axis=1)
        right = np.diagonal(self.counts) / np.maximum(totals, 1)
        return np.where(totals > 0, right, np.nan)

    def draw(self, path: Path) -> None:
        """Draws the confusion matrix into a PNG file."""
        draw_matrix(self.counts, self.names, self.names, path, title=self.summary())

    def summary(self) -> str:
        """The accuracy, and of how many."""
        return (
            f"accuracy {100 * self.accuracy:.1f} % ({np.trace(self.counts):,} of "
            f"{self.counts.sum():,} {self.what})"
        )

    def __str__(self) -> str:
        names = [printable(name) for name in self.names]
        width = max(5, *(len(name) for name in names))
        lines = [
            self.summary(),
            f"  {'class':{width}}   recall   right       taken for",
        ]
        for row, name in enumerate(names):
            total = int(self.counts[row].sum())
            if not total:
                continue
            wrong = [
                f"{names[column]} ({count})"
                for column, count in enumerate(self.counts[row])
                if count and column != row
            ]
            right = f"{self.counts[row, row]} of {total}"
            lines.append(
                f"  {name:{width}}  {100 * self.recall[row]:5.1f} %   {right:9}"
                f"   {', '.join(wrong)}".rstrip()
            )
        return "\n".join(lines)
