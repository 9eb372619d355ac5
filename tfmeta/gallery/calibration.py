"""From which score on a query is of an enrolled class: by what is enrolled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.evaluation.threshold import SCORES, Answers, Threshold
from tfmeta.gallery.enrolled import Enrolled
from tfmeta.gallery.records import StoredClass

# Examples that are left out, times classes, times numbers of an embedding.
_MOST_PRODUCTS = 2 * 10**10
_MOST_EXAMPLES, _LEAST_EXAMPLES = 1000, 100
_FOLDS = 5


def cross_validated(
    enrolled: Enrolled, *, independent: bool, recall: float
) -> Threshold | None:
    """A threshold by cross-validation of the enrolled examples.

    An example whose class is learned without it is a query of a known class; one
    whose class is left out is a query of an unknown one. The threshold accepts a
    share `recall` of the first; of the two scores, the largest logit and the largest
    probability, that is taken which tells the first from the second better.

    Args:
        enrolled: The classes.
        independent: Whether classes are learned independently: then examples are left
            out one by one, else in five folds.
        recall: Share of the queries of known classes to accept.

    Returns:
        The threshold; `None` where there are fewer than two classes, or no class has
        two examples.
    """
    if len(enrolled) < 2 or all(len(c.embeddings) < 2 for c in enrolled.classes):
        return None
    found = _one_by_one(enrolled) if independent else _in_folds(enrolled)
    return Threshold.fitted(
        found,
        recall=recall,
        protocol={
            "by": "cross-validation of the enrolled examples",
            "ways": len(enrolled),
            "examples": int(found.known.sum()),
        },
    )


def _one_by_one(enrolled: Enrolled) -> Answers:
    classes = enrolled.classes
    pairs = _drawn(classes)
    # Each class without one of its examples, and the column of its logit.
    reduced = [
        StoredClass(
            number,
            "",
            np.delete(classes[label].embeddings, row, axis=0),
            np.empty(0, np.int64),
        )
        for number, (label, row) in enumerate(pairs)
    ]
    queries = np.stack([classes[label].embeddings[row] for label, row in pairs])
    labels = np.array([label for label, _ in pairs])
    places = list(range(len(pairs)))
    others = enrolled.logits(queries)
    rows = enrolled.rows_of(reduced)
    others[places, labels] = -np.inf
    own = np.array(
        [
            enrolled.logits(
                queries[[place]],
                {name: value[None] for name, value in rows[place].items()},
            )[0, 0]
            for place in places
        ]
    )
    known = others.copy()
    known[places, labels] = own
    return _answers(known, others, labels)


def _drawn(classes: Sequence[StoredClass]) -> list[tuple[int, int]]:
    """Label and row of the examples that are left out; of many, evenly spread."""
    pairs = [
        (label, row)
        for label, one in enumerate(classes)
        if len(one.embeddings) > 1
        for row in range(len(one.embeddings))
    ]
    features = classes[0].embeddings[0].size
    most = _MOST_PRODUCTS // (len(classes) * features)
    most = min(_MOST_EXAMPLES, max(_LEAST_EXAMPLES, most))
    if len(pairs) <= most:
        return pairs
    return [pairs[i] for i in np.linspace(0, len(pairs) - 1, most).astype(int)]


def _in_folds(enrolled: Enrolled) -> Answers:
    raise NotImplementedError


def _answers(known: np.ndarray, unknown: np.ndarray, labels: np.ndarray) -> Answers:
    """One episode: each query with its class, and without."""
    both = np.concatenate([known, unknown])
    top = both.max(axis=1)
    with np.errstate(invalid="ignore"):
        probabilities = 1 / np.exp(both - top[:, None]).sum(axis=1)
    right = np.concatenate(
        [known.argmax(axis=1) == labels, np.zeros(len(labels), bool)]
    )
    is_known = np.repeat([True, False], len(labels))
    scores = dict(zip(SCORES, (top[None], probabilities[None]), strict=True))
    return Answers(known=is_known[None], right=right[None], scores=scores)
