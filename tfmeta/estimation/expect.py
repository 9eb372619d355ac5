"""From labelled examples to what is expected of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from tfmeta.estimation.checks import (
    check_links,
    checked_features,
    checked_rows,
    numbered,
)
from tfmeta.estimation.choosing import Choice, choose_head
from tfmeta.estimation.curve import curve_of
from tfmeta.estimation.doubles import doubles_of, find_links
from tfmeta.estimation.expectation import (
    ClassExpectation,
    ConfusedPair,
    Expectation,
    Share,
)
from tfmeta.estimation.folds import stratified_folds
from tfmeta.estimation.heads import AUTO, shared_head
from tfmeta.estimation.notes import notes_of
from tfmeta.estimation.refits import Refits, softmax
from tfmeta.estimation.rejection import LeftOut, find_rejection
from tfmeta.estimation.suspects import find_suspects

# Few folds for the estimate (Dumitrescu and others, 2023).
FOLDS = 5
_MOST_PAIRS = 10
_MOST_DOUBLES = 100


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
    digests: np.ndarray | None = None,
) -> Expectation:
    """Estimates how well a head will tell new examples of these classes apart.

    Every example is asked by a head that learned from four fifths of the others. What
    is a double of another is never asked by it.

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
        digests: Uint8 `(examples, bytes)`, of the content of each, as of
            `tfmeta.features.example_digests`, by which doubles are found; without,
            features are the content.

    Returns:
        The expectation.

    Raises:
        ValueError: When there are fewer than two classes, no class has a second
            example, two classes hold the same examples, features are not finite, or
            lengths do not agree.

    Example:

    ```python
    expected = tfmeta.estimation.expect(features, labels)
    expected.accuracy.value, expected.accuracy.low, expected.accuracy.high
    ```
    """
    features = checked_features("features", features)
    checked_rows("labels", labels, len(features))
    checked_rows("examples", examples, len(features))
    checked_rows("digests", digests, len(features))
    class_names, numbers = numbered(labels)
    names = tuple(map(str, range(len(numbers)) if examples is None else examples))
    links = find_links(features, digests)
    groups = check_links(links, numbers, class_names)
    report = on_progress or (lambda what, done, of_all: None)
    if head == AUTO:
        choice = choose_head(
            features,
            numbers,
            seed=seed,
            on_progress=functools.partial(report, "choosing a head"),
            groups=groups,
        )
    else:
        choice = Choice(head, reason="as given")
    refits = Refits(
        shared_head(choice.head, features.shape[1]),
        features,
        numbers,
        len(class_names),
    )
    folds = min(FOLDS, int(np.bincount(numbers).max()))
    splits = stratified_folds(numbers, folds, seed=seed, groups=groups)
    probabilities = np.full((len(numbers), len(class_names)), np.nan, np.float32)
    left_out = []
    for place, logits in refits.logits(
        splits, on_progress=functools.partial(report, "leaving out")
    ):
        test = splits[place].test
        probabilities[test] = softmax(logits)
        right = logits.argmax(axis=1) == numbers[test]
        left_out.append(LeftOut(logits, right, np.full(len(test), place)))
    known = LeftOut(*map(np.concatenate, zip(*left_out, strict=True)))
    accuracy, curve = curve_of(
        refits,
        splits,
        numbers,
        int(known.right.sum()),
        seed=seed,
        on_progress=functools.partial(report, "fewer examples"),
    )
    return Expectation(
        kind=kind,
        encoder=encoder,
        choice=choice,
        seed=seed,
        folds=folds,
        examples=names,
        labels=numbers,
        class_names=class_names,
        probabilities=probabilities,
        accuracy=accuracy,
        curve=curve,
        classes=_classes(probabilities, numbers, class_names),
        confused=_confused(probabilities, numbers, class_names),
        suspects=find_suspects(probabilities, numbers, class_names, names),
        doubles=doubles_of(links, numbers, class_names, names, _MOST_DOUBLES),
        rejection=find_rejection(refits, known, numbers, recall=recall, seed=seed),
        notes=notes_of(accuracy, curve, numbers, class_names, links),
    )


def _classes(
    probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> tuple[ClassExpectation, ...]:
    found = []
    for label, name in enumerate(names):
        own = probabilities[labels == label]
        asked = own[~np.isnan(own).any(axis=1)]
        hits = int((asked.argmax(axis=1) == label).sum()) if len(asked) else 0
        share = Share.of(hits, len(asked)) if len(asked) else None
        found.append(ClassExpectation(name, len(own), share))
    return tuple(found)


def _confused(
    probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> tuple[ConfusedPair, ...]:
    asked = ~np.isnan(probabilities).any(axis=1)
    answers = probabilities[asked].argmax(axis=1)
    table = np.zeros((len(names), len(names)), int)
    np.add.at(table, (labels[asked], answers), 1)
    of = table.sum(axis=1)
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:_MOST_PAIRS]
    return tuple(
        ConfusedPair(names[a], names[b], int(table[a, b]), int(of[a]))
        for a, b in zip(*np.unravel_index(order, table.shape), strict=True)
        if table[a, b]
    )
