"""What a classification gives, however it came about."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfmeta.classifying.checked_answers import NONE_OF_THESE, CheckedAnswers
from tfmeta.classifying.task import UNKNOWN


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """Answers to the queries of a task.

    Attributes:
        names: What each query is called: a file, or the text itself.
        class_names: The classes, by label.
        probabilities: Float32 `(queries, ways)`.
        classes: Int `(queries,)`: the labels answered, -1 for none of these.
        labels: Int `(queries,)`: the true ones, -1 for another class than those;
            `None` where they are not known.
        open_set: Whether -1 may occur.
        of: What a query is, `"picture"`, `"text"` or `"array"`.
        in_files: Whether texts or arrays are a file each, and called by it.
        warnings: What the user should know of the answers.
    """

    names: Sequence[str]
    class_names: Sequence[str]
    probabilities: np.ndarray
    classes: np.ndarray
    labels: np.ndarray | None = None
    open_set: bool = False
    of: str = "picture"
    in_files: bool = False
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def name_of(self, label: int) -> str:
        """Name of a class, also of none of these."""
        return NONE_OF_THESE if label == UNKNOWN else self.class_names[label]

    def probability_of(self, row: int) -> float | None:
        """That of the class answered, `None` for none of these."""
        label = self.classes[row]
        return None if label == UNKNOWN else float(self.probabilities[row, label])

    def checked(self) -> CheckedAnswers | None:
        """The answers beside the truth, where it is known."""
        if self.labels is None:
            return None
        return CheckedAnswers.of(
            self.labels,
            self.classes,
            self.class_names,
            open_set=self.open_set,
            what=f"{self.of}s",
        )
