"""Examples that were answered wrongly when they were left out."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.estimation.expectation import Expectation


@dataclasses.dataclass(frozen=True)
class WrongAnswer:
    """A left-out example that was taken for another class.

    Attributes:
        row: Its number.
        example: What it is called.
        label: Its class.
        answer: The class that it was taken for.
        probability: Of `answer`.
        own_probability: Of `label`.
    """

    row: int
    example: str
    label: str
    answer: str
    probability: float
    own_probability: float


def wrong_answers(expected: Expectation) -> list[WrongAnswer]:
    """All of them, the one with the most confident wrong answer first.

    Args:
        expected: The expectation.

    Example:

    ```python
    [wrong.example for wrong in wrong_answers(expected)[:10]]
    ```
    """
    answers = answered(expected)
    rows = np.flatnonzero((answers >= 0) & (answers != expected.labels))
    surest = np.argsort(-expected.probabilities[rows].max(axis=1), kind="stable")
    found = []
    for row in rows[surest].tolist():
        own = expected.probabilities[row]
        label, answer = int(expected.labels[row]), int(answers[row])
        found.append(
            WrongAnswer(
                row=row,
                example=expected.examples[row],
                label=expected.class_names[label],
                answer=expected.class_names[answer],
                probability=float(own[answer]),
                own_probability=float(own[label]),
            )
        )
    return found


def answered(expected: Expectation) -> np.ndarray:
    """The label that each example was answered with, -1 for one never left out.

    Returns:
        Int `(examples,)`.
    """
    asked = ~np.isnan(expected.probabilities).any(axis=1)
    answers = np.full(len(asked), -1)
    answers[asked] = expected.probabilities[asked].argmax(axis=1)
    return answers
