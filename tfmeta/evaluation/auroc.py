"""The area under the ROC curve of binary episodes, exact."""

from __future__ import annotations

import numpy as np


def auroc(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Area under the receiver operating characteristic of each task.

    The probability that a positive query has a higher score than a negative
    one, where equal scores count one half: the statistic of Mann and Whitney
    (1947), *On a Test of Whether one of Two Random Variables is Stochastically
    Larger than the Other*, over the number of pairs. Exact, by ranks.

    With the difference of two logits for a score it does not matter which of
    the two ways is called positive: exchanging them turns round both the order
    of the scores and the roles of the queries.

    Args:
        scores: Float `(tasks, queries)`; larger is more positive.
        positive: Bool `(tasks, queries)`.

    Returns:
        Float64 `(tasks,)`, from 0 to 1; 0.5 is chance.

    Raises:
        ValueError: When the shapes differ, when a score is not a number, or
            when a task lacks positive or negative queries.

    Example:

    ```python
    auroc(np.array([[0.1, 0.4, 0.35, 0.8]]), np.array([[0, 0, 1, 1]]) == 1)  # [0.75]
    ```
    """
    scores, positive = np.asarray(scores), np.asarray(positive, bool)
    if scores.ndim != 2 or scores.shape != positive.shape:
        raise ValueError(
            "`scores` and `positive` must have one shape, (tasks, queries). Received: "
            f"{scores.shape} and {positive.shape}"
        )
    if np.isnan(scores).any():
        raise ValueError(
            "`scores` must be numbers, others have no order. Received: "
            f"{np.isnan(scores).sum()} of {scores.size} that are not a number (NaN)"
        )
    positives = positive.sum(axis=1)
    negatives = positive.shape[1] - positives
    one_sided = np.flatnonzero((positives == 0) | (negatives == 0))
    if len(one_sided):
        raise ValueError(
            "`positive` must name positive and negative queries in every task. "
            f"Received: a task with {positives[one_sided[0]]} positive and "
            f"{negatives[one_sided[0]]} negative ones"
        )
    rank_sums = np.sum(_middle_ranks(scores) * positive, axis=1)
    wins = rank_sums - positives * (positives + 1) / 2
    return wins / (positives * negatives)


def _middle_ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks from 1 within each row; equal scores share the mean of theirs."""
    columns = scores.shape[1]
    order = np.argsort(scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    is_new = np.ones(scores.shape, bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    is_last = np.ones(scores.shape, bool)
    is_last[:, :-1] = is_new[:, 1:]
    place = np.arange(columns)
    first = np.maximum.accumulate(np.where(is_new, place, 0), axis=1)
    backwards = np.where(is_last, place, columns)[:, ::-1]
    last = np.minimum.accumulate(backwards, axis=1)[:, ::-1]
    ranks = np.empty(scores.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    return ranks
