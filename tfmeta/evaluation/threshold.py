"""From which score on a query counts as one of a known class."""

from __future__ import annotations

import dataclasses
import fractions
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.prediction import PredictedBatch
from tfmeta.finite_checks import check_finite

# The logit first: it stays when both are equally good.
SCORES = ("logit", "probability")


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """What a learner answered in open-set episodes.

    Attributes:
        known: Bool `(episodes, queries)`: whether the support has the class.
        right: Bool `(episodes, queries)`: whether the answer is the class.
        scores: Float `(episodes, queries)` of each of `SCORES`: the largest logit,
            and the largest probability by the softmax over the known classes.
    """

    known: np.ndarray
    right: np.ndarray
    scores: dict[str, np.ndarray]

    @classmethod
    def of(cls, batches: Iterable[PredictedBatch], known_ways: int) -> Answers:
        """The answers of batches whose first `known_ways` ways have a support."""
        known, right, logits, probabilities = [], [], [], []
        for batch in batches:
            known.append(batch.y < known_ways)
            right.append(batch.answers["predicted"] == batch.y)
            logits.append(batch.answers["top_logit"])
            probabilities.append(batch.answers["probability"])
        scores = (np.concatenate(logits), np.concatenate(probabilities))
        return cls(
            known=np.concatenate(known),
            right=np.concatenate(right),
            scores=dict(zip(SCORES, scores, strict=True)),
        )


def largest_with_recall(scores: np.ndarray, recall: float) -> float:
    """The largest value that at least a share `recall` of the scores reach.

    Args:
        scores: Float `(n,)`, at least one.
        recall: Above 0, at most 1, as it is written: 0.9 is nine tenths, not the
            binary fraction beside it.

    Raises:
        ValueError: When there are no scores, scores are not finite, or `recall` is
            out of range.

    Example:

    ```python
    largest_with_recall(np.array([0.1, 0.2, 0.3, 0.4, 0.5]), 0.8)  # 0.2
    ```
    """
    scores = np.ravel(scores)
    check_finite("scores", scores)
    if not 0 < recall <= 1 or not len(scores):
        raise ValueError(
            "`recall` must be above 0 and at most 1, and `scores` at least one. "
            f"Received: recall={recall}, {len(scores)} scores"
        )
    # Products of binary fractions lie a hair beside whole numbers.
    needed = math.ceil(fractions.Fraction(repr(float(recall))) * len(scores))
    return float(np.sort(scores)[len(scores) - needed])


@dataclasses.dataclass(frozen=True)
class Threshold:
    """The score from which on a query counts as one of a known class.

    Attributes:
        score: Which score, one of `SCORES`.
        value: The threshold.
        recall: Share of the known validation queries that were to reach it.
        validation_auroc: AUROC of known against unknown of each score, mean over
            validation episodes: why `score` was taken.
        protocol: The validation episodes.
    """

    score: str
    value: float
    recall: float
    validation_auroc: dict[str, float]
    protocol: dict[str, Any]

    @classmethod
    def fitted(
        cls, answers: Answers, *, recall: float, protocol: dict[str, Any]
    ) -> Threshold:
        """The better score on validation, and its largest value with that recall."""
        areas = {
            name: float(np.mean(auroc(scores, answers.known)))
            for name, scores in answers.scores.items()
        }
        best = max(SCORES, key=areas.__getitem__)
        known = answers.scores[best][answers.known]
        return cls(
            score=best,
            value=largest_with_recall(known, recall),
            recall=recall,
            validation_auroc=areas,
            protocol=protocol,
        )

    def accepts(self, scores: np.ndarray) -> np.ndarray:
        """Bool, of the shape of the scores.

        Raises:
            ValueError: When scores are not finite.
        """
        check_finite("scores", scores)
        return scores >= self.value

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Threshold:
        """The threshold of a `to_json`.

        Raises:
            ValueError: For a score that this version does not know.
        """
        if values["score"] not in SCORES:
            raise ValueError(
                f"`score` must be one of {', '.join(SCORES)}. Received: "
                f"score={values['score']!r}"
            )
        return cls(**values)


def nearest_threshold(
    thresholds: Sequence[Threshold], *, ways: int, shots: int
) -> Threshold:
    """The threshold that was fitted on the episodes most like a task.

    A threshold is of one number of ways and shots. Those nearest in ways are
    looked at first, then those nearest in shots, then the latest.

    Args:
        thresholds: At least one, the latest last.
        ways: Classes of the task.
        shots: The fewest examples of one of its classes.
    """
    return min(
        reversed(thresholds),
        key=lambda t: (
            abs(t.protocol["ways"] - ways),
            abs(t.protocol["shots"] - shots),
        ),
    )
