"""From which score on a query counts as one of a known class."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.prediction import PredictedBatch

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
            right.append(batch.predicted == batch.y)
            logits.append(batch.top_logit)
            probabilities.append(batch.probability)
        scores = (np.concatenate(logits), np.concatenate(probabilities))
        return cls(
            known=np.concatenate(known),
            right=np.concatenate(right),
            scores=dict(zip(SCORES, scores, strict=True)),
        )


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
        known = np.sort(answers.scores[best][answers.known])
        return cls(
            score=best,
            value=float(known[int((1 - recall) * len(known))]),
            recall=recall,
            validation_auroc=areas,
            protocol=protocol,
        )

    def accepts(self, scores: np.ndarray) -> np.ndarray:
        """Bool, of the shape of the scores."""
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
