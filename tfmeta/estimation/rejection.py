"""From which score on an example is of one of the classes, and of none below it."""

from __future__ import annotations

import numpy as np

from tfmeta.estimation.expectation import Rejection, Share
from tfmeta.estimation.leaving_out import LeftOut, leave_out
from tfmeta.estimation.refits import Refits, Split, softmax
from tfmeta.evaluation.threshold import (
    SCORES,
    Answers,
    Threshold,
    largest_with_recall,
)

# Of classes, each left out as a whole.
_FOLDS = 5
# With two classes the one that stays would be certain of everything.
LEAST_WAYS = 3
# Scores of known examples: of fewer, a twentieth is not one.
LEAST_EXAMPLES = 10


def find_rejection(
    refits: Refits, known: LeftOut, labels: np.ndarray, *, recall: float, seed: int
) -> Rejection | None:
    """A threshold by the examples themselves, and what it accepts and rejects.

    An example that is left out is a query of a known class. One whose class is left
    out as a whole is a query of an unknown class. The share of the known that is
    accepted is measured in each fold with the threshold of the others.

    Args:
        refits: Of the head.
        known: The examples that were left out, each once.
        labels: Int `(examples,)` of all.
        recall: Share of the known to accept.
        seed: Of the folds of classes.

    Returns:
        The threshold; `None` with fewer than `LEAST_WAYS` classes, or with fewer than
        `LEAST_EXAMPLES` that were left out.
    """
    ways = int(labels.max()) + 1
    if ways < LEAST_WAYS or len(known.right) < LEAST_EXAMPLES:
        return None
    unknown = _unknown_logits(refits, labels, seed)
    scores = [_scores(known.logits), _scores(unknown)]
    count = len(known.right)
    answers = Answers(
        known=np.repeat([True, False], [count, len(unknown)])[None],
        right=np.concatenate([known.right, np.zeros(len(unknown), bool)])[None],
        scores={
            name: np.concatenate([part[name] for part in scores])[None]
            for name in SCORES
        },
    )
    threshold = Threshold.fitted(
        answers,
        recall=recall,
        protocol={
            "by": "cross-validation of the labelled examples",
            "ways": ways,
            "shots": int(np.bincount(labels).min()),
            "examples": count,
        },
    )
    own, others = (part[threshold.score] for part in scores)
    accepted = 0
    for fold in np.unique(known.split):
        here = known.split == fold
        rest = own[~here] if not here.all() else own
        accepted += int((own[here] >= largest_with_recall(rest, recall)).sum())
    rejected = int((~threshold.accepts(others)).sum())
    return Rejection(
        threshold=threshold,
        known_accepted=Share.of(accepted, count),
        unknown_rejected=Share.of(rejected, len(unknown)),
        auroc=threshold.validation_auroc[threshold.score],
    )


def _unknown_logits(refits: Refits, labels: np.ndarray, seed: int) -> np.ndarray:
    ways = int(labels.max()) + 1
    fold_of = np.random.default_rng([seed, ways]).permutation(ways) % min(_FOLDS, ways)
    # At least two classes stay in every fold.
    splits = [
        Split(np.flatnonzero(fold_of[labels] != fold), np.flatnonzero(asked))
        for fold in range(int(fold_of.max()) + 1)
        for asked in (fold_of[labels] == fold,)
    ]
    return leave_out(refits, splits, labels).logits


def _scores(logits: np.ndarray) -> dict[str, np.ndarray]:
    top = logits.max(axis=1)
    return dict(zip(SCORES, (top, softmax(logits).max(axis=1)), strict=True))
