"""A head chosen by cross-validation, for `head="auto"`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfmeta.estimation.folds import can_be_left_out, stratified_folds
from tfmeta.estimation.heads import HEADS, UNTRIED, shared_head
from tfmeta.estimation.refits import Refits, softmax

# Many folds choose well, few estimate well (evaluation of one's own task: Dumitrescu
# and others, 2023, "Evaluating the Evaluators").
_FOLDS = 10
# Examples times classes. Above the first few folds choose as well, and each fit takes
# a second; above the second a fit of logistic regression takes minutes.
_FEW_FOLDS_ABOVE, _FEW_FOLDS = 10_000, 5
_NONE_ABOVE = 500_000


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
    groups: np.ndarray | None = None,
) -> Choice:
    """Chooses the head with the most right answers on left-out examples.

    Of heads with equally many the first.

    Args:
        features: Float32 or float64 `(examples, features)`.
        labels: Int `(examples,)`, from 0 on without gaps.
        seed: Of the folds.
        heads: Keys of `HEADS` to try; all by default.
        arguments: Of the constructors of all of them, as `{"transform": "none"}`.
        on_progress: Called with the number of fits done, and of all.
        groups: Int `(examples,)`: those of one group are left out together.

    Returns:
        The choice. With one example of each class nothing can be left out; then it is
        `UNTRIED`, and so it is of very many examples of many classes.

    Example:

    ```python
    choose_head(features, labels).head  # "logistic_regression"
    ```
    """
    labels = np.asarray(labels)
    heads = tuple(HEADS if heads is None else heads)
    ways = int(labels.max()) + 1
    if not can_be_left_out(labels, groups).any():
        words = "no class has a second example to leave out"
        return Choice(UNTRIED if UNTRIED in heads else heads[0], reason=words)
    size = len(labels) * ways
    if size > _NONE_ABOVE:
        words = f"{len(labels):,} examples of {ways:,} classes are too many for others"
        return Choice(UNTRIED if UNTRIED in heads else heads[0], reason=words)
    folds = _FOLDS if size <= _FEW_FOLDS_ABOVE else _FEW_FOLDS
    splits = stratified_folds(labels, folds, seed=seed, groups=groups)
    candidates = []
    for number, head in enumerate(heads):
        learner = shared_head(head, features.shape[1], **(arguments or {}))
        refits = Refits(learner, features, labels, ways)
        right, loss, count = 0, 0.0, 0
        for done, (place, logits) in enumerate(refits.logits(splits), 1):
            truth = labels[splits[place].test]
            own = softmax(logits)[np.arange(len(truth)), truth]
            right += int((logits.argmax(axis=1) == truth).sum())
            loss -= float(np.log(np.maximum(own, 1e-12)).sum())
            count += len(truth)
            if on_progress is not None:
                on_progress(number * len(splits) + done, len(heads) * len(splits))
        candidates.append(Candidate(head, right / count, loss / count))
    # The first of equals. Their log loss says how probabilities are scaled: by it the
    # choice fell on heads that were right less often, on validation classes of
    # miniImageNet and CLINC150.
    best = max(candidates, key=lambda one: one.accuracy)
    return Choice(
        best.head,
        tuple(candidates),
        len(splits),
        f"most right answers on examples left out, in {len(splits)} folds",
    )
