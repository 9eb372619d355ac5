"""Which examples are asked by which part of the others."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from tfmeta.estimation.refits import Split


def stratified_folds(
    labels: np.ndarray,
    folds: int,
    *,
    seed: int,
    repeats: int = 1,
    groups: np.ndarray | None = None,
) -> list[Split]:
    """Splits in which every example is asked once a repeat, by the others.

    A class with fewer examples than folds is missing from the queries of some; one
    with a single example, or a single group of them, is never asked, it would be
    unknown, but always learned.

    Args:
        labels: Int `(examples,)`.
        folds: Number of folds, at least 2; fewer where no class has so many examples,
            or there are not so many groups.
        seed: Another seed, other folds.
        repeats: How many times all examples are dealt to folds.
        groups: Int `(examples,)`: those of one group are in one fold, as doubles
            are, which would be asked by themselves. Each is its own by default.

    Raises:
        ValueError: When no class has a second example, or group of them.
    """
    labels = np.asarray(labels)
    is_asked = can_be_left_out(labels, groups)
    alone, rest = np.flatnonzero(~is_asked), np.flatnonzero(is_asked)
    if not len(rest):
        raise ValueError("no class has a second example that can be left out")
    folds = min(folds, int(np.bincount(labels[rest]).max()))
    if groups is not None:
        folds = min(folds, len(np.unique(groups[rest])))
    splits = []
    for repeat in range(repeats):
        chance = int(np.random.default_rng([seed, repeat]).integers(2**31))
        with warnings.catch_warnings():
            # That a class has fewer examples than there are folds.
            warnings.simplefilter("ignore", UserWarning)
            for train, test in _dealt(labels[rest], folds, chance, groups, rest):
                if len(test):
                    learned = np.concatenate([rest[train], alone])
                    splits.append(Split(np.sort(learned), rest[test]))
    return splits


def can_be_left_out(labels: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Bool `(examples,)`: whether another group of examples has the same class."""
    if groups is None:
        return np.bincount(labels)[labels] > 1
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    return np.bincount(pairs[0])[labels] > 1


def _dealt(
    labels: np.ndarray,
    folds: int,
    chance: int,
    groups: np.ndarray | None,
    rows: np.ndarray,
) -> list[tuple[np.ndarray, np.ndarray]]:
    if groups is None or len(np.unique(groups[rows])) == len(rows):
        plain = StratifiedKFold(folds, shuffle=True, random_state=chance)
        return list(plain.split(labels, labels))
    together = StratifiedGroupKFold(folds, shuffle=True, random_state=chance)
    return list(together.split(labels, labels, groups[rows]))


def with_shots(split: Split, labels: np.ndarray, shots: int, *, seed: int) -> Split:
    """The split with at most so many examples of each class to learn from."""
    rng = np.random.default_rng([seed, shots])
    mixed = rng.permutation(split.train)
    order = np.argsort(labels[mixed], kind="stable")
    of_class = labels[mixed][order]
    starts = np.searchsorted(of_class, of_class)
    kept = order[np.arange(len(order)) - starts < shots]
    return Split(np.sort(mixed[kept]), split.test)
