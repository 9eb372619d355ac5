"""Which examples are asked by which part of the others."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import StratifiedKFold

from tfmeta.estimation.refits import Split


def stratified_folds(
    labels: np.ndarray, folds: int, *, seed: int, repeats: int = 1
) -> list[Split]:
    """Splits in which every example is asked once a repeat, by the others.

    A class with fewer examples than folds is missing from the queries of some; one
    with a single example is never asked, it would be unknown, but always learned.

    Args:
        labels: Int `(examples,)`.
        folds: Number of folds, at least 2.
        seed: Another seed, other folds.
        repeats: How many times all examples are dealt to folds.
    """
    labels = np.asarray(labels)
    sizes = np.bincount(labels)
    alone = np.flatnonzero(sizes[labels] == 1)
    rest = np.flatnonzero(sizes[labels] > 1)
    splits = []
    for repeat in range(repeats):
        chance = np.random.default_rng([seed, repeat]).integers(2**31)
        dealt = StratifiedKFold(folds, shuffle=True, random_state=int(chance))
        with warnings.catch_warnings():
            # That a class has fewer examples than there are folds.
            warnings.simplefilter("ignore", UserWarning)
            for train, test in dealt.split(rest, labels[rest]):
                splits.append(Split(np.concatenate([rest[train], alone]), rest[test]))
    return splits


def with_shots(split: Split, labels: np.ndarray, shots: int, *, seed: int) -> Split:
    """The split with at most so many examples of each class to learn from."""
    rng = np.random.default_rng([seed, shots])
    mixed = rng.permutation(split.train)
    order = np.argsort(labels[mixed], kind="stable")
    of_class = labels[mixed][order]
    starts = np.searchsorted(of_class, of_class)
    kept = order[np.arange(len(order)) - starts < shots]
    return Split(np.sort(mixed[kept]), split.test)
