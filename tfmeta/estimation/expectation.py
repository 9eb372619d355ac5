"""What is expected of a task, as values that a page, a table and JSON are made of."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfmeta.estimation.choosing import Choice
from tfmeta.evaluation.intervals import over_trials
from tfmeta.evaluation.threshold import Threshold


@dataclasses.dataclass(frozen=True)
class Share:
    """A share with its 95 % interval.

    Attributes:
        value: The share, from 0 to 1.
        low: Lower end.
        high: Upper end.
        count: Of how many examples.
    """

    value: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, hits: float, count: int, *, effective: float = 1.0) -> Share:
        """By Wilson's interval.

        Args:
            hits: How many; not whole where it is a mean of several counts.
            count: Of how many.
            effective: Share of `count` that tells as much as independent trials do.
        """
        share = hits / count
        trials = count * effective
        return cls(share, *over_trials(share * trials, trials), count)


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """Expected accuracy at a number of shots.

    Attributes:
        shots: Examples of each class to learn from.
        accuracy: The expectation.
        measured: Whether it was measured by leaving out; else it is the continuation
            of those that were.
    """

    shots: int
    accuracy: Share
    measured: bool = True


@dataclasses.dataclass(frozen=True)
class ClassExpectation:
    """What is expected of one class.

    Attributes:
        name: Its name.
        examples: How many it has.
        recall: Share of its examples that are answered right; `None` for a class with
            a single one.
    """

    name: str
    examples: int
    recall: Share | None


@dataclasses.dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for each other.

    Attributes:
        truth: The class of the examples.
        answer: The class that they were taken for.
        count: How many.
        of: Of how many of `truth`.
    """

    truth: str
    answer: str
    count: int
    of: int


@dataclasses.dataclass(frozen=True)
class Suspect:
    """An example that looks mislabelled: the others say so clearly.

    Attributes:
        row: Its number.
        example: What it is called: a file, or the text.
        label: The class it is given.
        answer: The class that the others take it for.
        probability: Of `answer`.
        own_probability: Of `label`.
    """

    row: int
    example: str
    label: str
    answer: str
    probability: float
    own_probability: float


@dataclasses.dataclass(frozen=True)
class Double:
    """Two examples that are the same, or nearly so.

    Attributes:
        rows: Their numbers.
        examples: What they are called.
        labels: Their classes.
        similarity: Cosine of their features, 1 for equal ones.
        equal: Whether their content is the same byte by byte.
    """

    rows: tuple[int, int]
    examples: tuple[str, str]
    labels: tuple[str, str]
    similarity: float
    equal: bool


@dataclasses.dataclass(frozen=True)
class Rejection:
    """The threshold of "none of these", from the same folds, and what it does.

    Attributes:
        threshold: From which score on a query counts as of a known class.
        known_accepted: Share of left-out examples that it accepts.
        unknown_rejected: Share of examples of a class that was left out as a whole
            that it rejects.
        auroc: Area under the ROC curve of known against unknown.
    """

    threshold: Threshold
    known_accepted: Share
    unknown_rejected: Share
    auroc: float


@dataclasses.dataclass(frozen=True)
class NextToLabel:
    """An unlabelled example that is worth a label.

    Attributes:
        row: Its number among the unlabelled.
        example: What it is called.
        answer: The class it is taken for so far.
        probability: Of `answer`.
        reason: A few words.
    """

    row: int
    example: str
    answer: str
    probability: float
    reason: str


@dataclasses.dataclass(frozen=True, eq=False)
class Expectation:
    """How well new examples of the same classes will be told apart.

    Attributes:
        kind: What the examples are, `"pictures"`, `"texts"` or `"arrays"`.
        encoder: Name of the encoder, `None` where examples are features.
        choice: The head.
        seed: Of folds and draws.
        folds: Of the estimate.
        examples: What each is called, by row.
        labels: Int32 `(examples,)`.
        class_names: By label.
        probabilities: Float32 `(examples, ways)`, of each example when it was left
            out, the mean where it was so several times; NaN for the only example of a
            class.
        accuracy: What is expected of the head that learns from all examples: the
            mean of all answers, and what the curve adds for those that each fold
            lacks. `confusion` counts one answer an example, that of the mean
            probabilities, and may differ by an example or two.
        curve: By shots, ascending.
        classes: By label.
        confused: The most frequent first.
        suspects: The clearest first.
        doubles: The most alike first.
        rejection: `None` where there are too few classes or examples.
        to_label: The first is worth the most; empty without unlabelled examples.
        notes: What has to be known of these figures, one sentence each.
    """

    kind: str
    encoder: str | None
    choice: Choice
    seed: int
    folds: int
    examples: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    probabilities: np.ndarray
    accuracy: Share
    curve: tuple[CurvePoint, ...]
    classes: tuple[ClassExpectation, ...]
    confused: tuple[ConfusedPair, ...]
    suspects: tuple[Suspect, ...] = ()
    doubles: tuple[Double, ...] = ()
    rejection: Rejection | None = None
    to_label: tuple[NextToLabel, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def confusion(self) -> np.ndarray:
        """Int `(ways, ways)`: left-out examples by class and by answer."""
        asked = ~np.isnan(self.probabilities).any(axis=1)
        ways = len(self.class_names)
        table = np.zeros((ways, ways), int)
        answers = self.probabilities[asked].argmax(axis=1)
        np.add.at(table, (self.labels[asked], answers), 1)
        return table

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values; of an example the label and the answer by name."""
        plain = {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name not in ("labels", "probabilities", "examples")
        }
        return {**plain, "confusion": self.confusion.tolist()}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
