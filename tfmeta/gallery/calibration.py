"""From which score on a query is of an enrolled class: by what is enrolled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.evaluation.threshold import SCORES, Answers, Threshold
from tfmeta.gallery.enrolled import Enrolled
from tfmeta.gallery.records import StoredClass

# Examples that are left out, times numbers that each is compared with.
_MOST_PRODUCTS = 2 * 10**10
_MOST_EXAMPLES, _LEAST_EXAMPLES = 1000, 100
_FOLDS = 5
# In memory at once: numbers of supports, logits.
_MOST_NUMBERS = 2**24

# Largest logit and largest probability of some queries.
_Scores = dict[str, np.ndarray]


def cross_validated(
    learner: Any, enrolled: Enrolled, *, recall: float
) -> Threshold | None:
    """A threshold by cross-validation of the enrolled examples.

    An example of a class that is learned without it is a query of a known class, where
    the class has another example. One whose class is left out is a query of an unknown
    class. The threshold accepts a share `recall` of the first; of the two scores, the
    largest logit and the largest probability, that is taken which tells the first from
    the second better.

    A learner with `independent_classes` leaves out one example, and one class, at a
    time. Others learn all classes together, and do so ten times: examples are dealt to
    five folds, those of each class one by one, and each fold asks what was learned
    from the other four; so are whole classes for the queries of unknown ones.

    A class without one of its examples, and more so without a fold, is known less well
    than it is in the end: more queries of known classes are accepted than is asked for.
    Against that the threshold is one of `n` scores, which a share of about
    `recall * n / (n + 1)` of further ones reach: of few examples less are accepted.

    Of many examples some are taken, evenly spread: 1,000, and fewer where there are
    very many classes.

    Args:
        learner: The learner, with `independent_embeddings`.
        enrolled: The classes.
        recall: Share of the queries of known classes to accept.

    Returns:
        The threshold; `None` where `missing_for_threshold` says why.
    """
    classes = enrolled.classes
    if missing_for_threshold(classes):
        return None
    pairs = _drawn(classes)
    by_one = learner.independent_classes
    found = _one_by_one(learner, enrolled, pairs) if by_one else _folds(enrolled, pairs)
    return Threshold.fitted(
        found,
        recall=recall,
        protocol={
            "by": "cross-validation of the enrolled examples",
            "left_out": "one example" if by_one else "a fifth of the examples",
            "ways": len(classes),
            "examples": len(pairs),
        },
    )


def missing_for_threshold(classes: Sequence[StoredClass]) -> str | None:
    """What has to be enrolled before there can be a threshold, `None` for nothing."""
    if len(classes) < 2:
        return "a second class, so that one can be left out"
    if all(len(one.embeddings) < 2 for one in classes):
        return "a second example of a class, so that one can be left out"
    return None


def _drawn(classes: Sequence[StoredClass]) -> np.ndarray:
    """Label and row of the examples that are left out, `(examples, 2)`."""
    sizes = np.array([len(one.embeddings) for one in classes])
    labels = np.repeat(np.arange(len(classes)), np.where(sizes > 1, sizes, 0))
    starts = np.searchsorted(labels, np.arange(len(classes)))
    pairs = np.stack([labels, np.arange(len(labels)) - starts[labels]], axis=1)
    each = classes[0].embeddings[0].size * (len(classes) + int(sizes.max()))
    most = min(_MOST_EXAMPLES, max(_LEAST_EXAMPLES, _MOST_PRODUCTS // each))
    if len(pairs) <= most:
        return pairs
    return pairs[np.linspace(0, len(pairs) - 1, most).astype(int)]


def _one_by_one(learner: Any, enrolled: Enrolled, pairs: np.ndarray) -> Answers:
    classes = enrolled.classes
    queries = _examples(classes, pairs)
    ids = np.array([classes[label].id for label in pairs[:, 0]], np.int64)
    own = _logits_without_oneself(learner, classes, pairs, queries)
    known, unknown, right = [], [], []
    for part in _parts(len(pairs), len(classes), queries[0].ndim):
        others = enrolled.nearest(queries[part], 1, without=ids[part])
        best, log_sum = others.logits[:, 0], others.log_sum
        unknown.append(_scores_of(best, log_sum))
        top = np.maximum(best, own[part])
        known.append(_scores_of(top, np.logaddexp(log_sum, own[part])))
        # Of equal ones the first is the answer.
        first = ids[part] < others.ids[:, 0]
        right.append((own[part] > best) | (own[part] == best) & first)
    return _answers(known, unknown, right)


def _logits_without_oneself(
    learner: Any,
    classes: Sequence[StoredClass],
    pairs: np.ndarray,
    queries: np.ndarray,
) -> np.ndarray:
    """The logit of each example for its class, learned without it, `(examples,)`.

    Examples of classes of one size are the tasks of a batch, of one way and one query.
    """
    own = np.empty(len(pairs), np.float32)
    sizes = np.array([len(classes[label].embeddings) for label in pairs[:, 0]])
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        at_once = max(1, _MOST_NUMBERS // (int(size) * queries[0].size))
        for start in range(0, len(alike), at_once):
            part = alike[start : start + at_once]
            support = np.stack(
                [
                    np.delete(classes[label].embeddings, row, axis=0)
                    for label, row in pairs[part]
                ]
            )
            state = learner.adapt_embeddings(
                tf.constant(support), tf.ones((*support.shape[:2], 1))
            )
            query = tf.constant(queries[part][:, None])
            own[part] = learner.compare_embeddings(state, query)[:, 0, 0].numpy()
    return own


def _folds(enrolled: Enrolled, pairs: np.ndarray) -> Answers:
    classes = enrolled.classes
    queries = _examples(classes, pairs)
    labels, rows = pairs.T
    known, unknown, right = [], [], []
    # Dealt from another fold on in each class, else the first had the most. No class
    # has all of its examples in one.
    for fold in range(_FOLDS):
        asked = np.flatnonzero((labels + rows) % _FOLDS == fold)
        if not len(asked):
            continue
        rest = [_without(one, label, fold) for label, one in enumerate(classes)]
        for logits, part in _asked(enrolled, rest, queries, asked):
            known.append(_scores(logits))
            right.append(logits.argmax(axis=1) == labels[part])
    folds = min(_FOLDS, len(classes))
    for fold in range(folds):
        asked = np.flatnonzero(labels % folds == fold)
        others = [c.embeddings for i, c in enumerate(classes) if i % folds != fold]
        if len(asked):
            asking = _asked(enrolled, others, queries, asked)
            unknown += [_scores(logits) for logits, _ in asking]
    return _answers(known, unknown, right)


def _without(one: StoredClass, label: int, fold: int) -> np.ndarray:
    """The examples of a class that are not in a fold; a single one is in none."""
    rows = np.arange(len(one.embeddings))
    left_out = (label + rows) % _FOLDS == fold
    return one.embeddings[~left_out] if len(rows) > 1 else one.embeddings


def _asked(
    enrolled: Enrolled,
    embeddings: Sequence[np.ndarray],
    queries: np.ndarray,
    asked: np.ndarray,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Logits of some queries among classes of these embeddings, and their places."""
    state = enrolled.learn(embeddings)
    for part in _parts(len(asked), len(embeddings), queries[0].ndim):
        yield enrolled.logits(queries[asked[part]], state), asked[part]


def _examples(classes: Sequence[StoredClass], pairs: np.ndarray) -> np.ndarray:
    return np.stack([classes[label].embeddings[row] for label, row in pairs])


def _parts(count: int, ways: int, rank: int) -> Iterator[slice]:
    """Parts of so many queries; of maps, which make pairs with classes, of fewer."""
    at_once = max(1, (_MOST_NUMBERS if rank == 1 else 2**12) // ways)
    return (slice(start, start + at_once) for start in range(0, count, at_once))


def _scores(logits: np.ndarray) -> _Scores:
    top = logits.max(axis=1)
    return _scores_of(top, top + np.log(np.exp(logits - top[:, None]).sum(axis=1)))


def _scores_of(top: np.ndarray, log_sum: np.ndarray) -> _Scores:
    return dict(zip(SCORES, (top, np.exp(top - log_sum)), strict=True))


def _answers(
    known: Sequence[_Scores], unknown: Sequence[_Scores], right: Sequence[np.ndarray]
) -> Answers:
    """All queries as those of one episode."""
    correct = np.concatenate(right)
    scores = {
        name: np.concatenate([part[name] for part in (*known, *unknown)])[None]
        for name in SCORES
    }
    count = scores[SCORES[0]].size - len(correct)
    return Answers(
        known=np.repeat([True, False], [len(correct), count])[None],
        right=np.concatenate([correct, np.zeros(count, bool)])[None],
        scores=scores,
    )
