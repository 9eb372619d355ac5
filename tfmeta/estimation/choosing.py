"""A head chosen by cross-validation, for `head="auto"`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfmeta.estimation.folds import stratified_folds
from tfmeta.estimation.heads import HEADS, shared_head
from tfmeta.estimation.refits import Refits, softmax

# Many folds choose well, few estimate well (evaluation of one's own task: Dumitrescu
# and others, 2023, "Evaluating the Evaluators").
_FOLDS = 10


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A head that was tried.

    Attributes:
        head: A key of `HEADS`.
        accuracy: Share of the left-out examples that it answered right.
        log_loss: Mean of `-log p` of their classes, natural logarithm.
    """

    head: str
    accuracy: float
    log_loss: float


@dataclasses.dataclass(frozen=True)
class Choice:
    """The head that was chosen, and among which.

    Attributes:
        head: A key of `HEADS`, or the name that was given.
        candidates: Those that were tried; none where the head was given.
        folds: Into how many folds the examples were dealt; 0 where nothing was tried.
        reason: A sentence, why no others were tried or why this one.
    """

    head: str
    candidates: tuple[Candidate, ...] = ()
    folds: int = 0
    reason: str = ""


def choose_head(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    seed: int = 0,
    heads: Sequence[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Choice:
    """Chooses the head with the most right answers on left-out examples.

    Of heads with equally many that with the smaller log loss.

    Args:
        features: Float32 or float64 `(examples, features)`.
        labels: Int `(examples,)`, from 0 on without gaps.
        seed: Of the folds.
        heads: Keys of `HEADS` to try; all by default.
        arguments: Of the constructors of all of them, as `{"transform": "none"}`.
        on_progress: Called with the number of heads done, and of all.

    Returns:
        The choice. With one example of each class nothing can be left out; then it is
        the first.

    Example:

    ```python
    choose_head(features, labels).head  # "logistic_regression"
    ```
    """
    labels = np.asarray(labels)
    heads = tuple(HEADS if heads is None else heads)
    ways = int(labels.max()) + 1
    largest = int(np.bincount(labels).max())
    if largest < 2:
        words = "no class has a second example to leave out"
        return Choice(heads[0], reason=words)
    folds = min(_FOLDS, largest)
    splits = stratified_folds(labels, folds, seed=seed)
    candidates = []
    for number, head in enumerate(heads):
        learner = shared_head(head, features.shape[1], **(arguments or {}))
        refits = Refits(learner, features, labels, ways)
        right, loss, count = 0, 0.0, 0
        for place, logits in refits.logits(splits):
            truth = labels[splits[place].test]
            own = softmax(logits)[np.arange(len(truth)), truth]
            right += int((logits.argmax(axis=1) == truth).sum())
            loss -= float(np.log(np.maximum(own, 1e-12)).sum())
            count += len(truth)
        candidates.append(Candidate(head, right / count, loss / count))
        if on_progress is not None:
            on_progress(number + 1, len(heads))
    best = min(candidates, key=lambda one: (-one.accuracy, one.log_loss))
    return Choice(
        best.head,
        tuple(candidates),
        folds,
        f"most right answers on examples left out, in {folds} folds",
    )
