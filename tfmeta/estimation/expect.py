"""From labelled examples to what is expected of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tfmeta.estimation.choosing import Choice, choose_head
from tfmeta.estimation.expectation import (
    ClassExpectation,
    ConfusedPair,
    CurvePoint,
    Expectation,
    Share,
)
from tfmeta.estimation.folds import stratified_folds, with_shots
from tfmeta.estimation.heads import AUTO, head_on_features
from tfmeta.estimation.refits import Refits, softmax

# Few folds for the estimate.
_FOLDS = 5
_SHOTS = (1, 2, 5, 10, 20, 50, 100)
# Draws of so few shots, each of all folds.
_DRAWS = 10
_MOST_PAIRS = 10


def expect(
    features: np.ndarray,
    labels: Sequence[str],
    *,
    head: str = AUTO,
    kind: str = "arrays",
    encoder: str | None = None,
    examples: Sequence[str] | None = None,
    unlabelled: np.ndarray | None = None,
    unlabelled_names: Sequence[str] | None = None,
    recall: float = 0.95,
    seed: int = 0,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Expectation:
    """Estimates how well a head will tell new examples of these classes apart.

    Args:
        features: Float32 `(examples, features)`, as of `tfmeta.features.features_of`.
        labels: The class name of each example.
        head: `"auto"` or the name of one, see `HEADS`.
        kind: What the examples are.
        encoder: What their features are of.
        examples: What each is called.
        unlabelled: Float32 `(unlabelled, features)`: those of which the next to label
            are named.
        unlabelled_names: What each of these is called.
        recall: Share of the known that the threshold is to accept.
        seed: Of folds and draws.
        on_progress: Called with what is done, how much of it, and of how much.

    Returns:
        The expectation.

    Raises:
        ValueError: When there are fewer than two classes, no class has a second
            example, or features are not finite.

    Example:

    ```python
    expected = tfmeta.estimation.expect(features, labels)
    expected.accuracy.value, expected.accuracy.low, expected.accuracy.high
    ```
    """
    names, numbers = np.unique(np.asarray(labels, object), return_inverse=True)
    numbers = numbers.astype(np.int32)
    ways = len(names)
    if head == AUTO:
        choice = choose_head(features, numbers, seed=seed)
    else:
        choice = Choice(head, reason="as given")
    refits = Refits(
        head_on_features(choice.head, features.shape[1]), features, numbers, ways
    )
    sizes = np.bincount(numbers)
    folds = min(_FOLDS, int(sizes.max()))
    splits = stratified_folds(numbers, folds, seed=seed)
    probabilities = np.full((len(numbers), ways), np.nan, np.float32)
    for place, logits in refits.logits(splits):
        probabilities[splits[place].test] = softmax(logits)
    asked = ~np.isnan(probabilities).any(axis=1)
    right = probabilities[asked].argmax(axis=1) == numbers[asked]
    accuracy = Share.of(int(right.sum()), int(asked.sum()))
    return Expectation(
        kind=kind,
        encoder=encoder,
        choice=choice,
        seed=seed,
        folds=folds,
        examples=tuple(examples or map(str, range(len(numbers)))),
        labels=numbers,
        class_names=tuple(map(str, names)),
        probabilities=probabilities,
        accuracy=accuracy,
        curve=_curve(refits, splits, numbers, accuracy, seed),
        classes=_classes(probabilities, numbers, names),
        confused=_confused(probabilities, numbers, names),
    )


def _curve(
    refits: Refits, splits: list, labels: np.ndarray, accuracy: Share, seed: int
) -> tuple[CurvePoint, ...]:
    learned = int(np.median([np.bincount(labels[s.train]).max() for s in splits]))
    points = []
    for shots in (s for s in _SHOTS if s < learned):
        drawn = [
            with_shots(split, labels, shots, seed=seed + draw)
            for draw in range(_DRAWS)
            for split in splits
        ]
        right = [
            (logits.argmax(axis=1) == labels[drawn[place].test]).mean()
            for place, logits in refits.logits(drawn)
        ]
        hits = round(float(np.mean(right)) * accuracy.count)
        points.append(CurvePoint(shots, Share.of(hits, accuracy.count)))
    return (*points, CurvePoint(int(np.bincount(labels).max()), accuracy))


def _classes(
    probabilities: np.ndarray, labels: np.ndarray, names: np.ndarray
) -> tuple[ClassExpectation, ...]:
    found = []
    for label, name in enumerate(names):
        own = probabilities[labels == label]
        asked = own[~np.isnan(own).any(axis=1)]
        hits = int((asked.argmax(axis=1) == label).sum()) if len(asked) else 0
        share = Share.of(hits, len(asked)) if len(asked) else None
        found.append(ClassExpectation(str(name), len(own), share))
    return tuple(found)


def _confused(
    probabilities: np.ndarray, labels: np.ndarray, names: np.ndarray
) -> tuple[ConfusedPair, ...]:
    asked = ~np.isnan(probabilities).any(axis=1)
    answers = probabilities[asked].argmax(axis=1)
    table = np.zeros((len(names), len(names)), int)
    np.add.at(table, (labels[asked], answers), 1)
    of = table.sum(axis=1)
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:_MOST_PAIRS]
    return tuple(
        ConfusedPair(str(names[a]), str(names[b]), int(table[a, b]), int(of[a]))
        for a, b in zip(*np.unravel_index(order, table.shape), strict=True)
        if table[a, b]
    )
