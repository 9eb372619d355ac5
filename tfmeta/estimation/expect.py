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
    NextToLabel,
    Share,
)
from tfmeta.estimation.folds import stratified_folds
from tfmeta.estimation.heads import AUTO, in_their_span, shared_head
from tfmeta.estimation.leaving_out import leave_out
from tfmeta.estimation.notes import notes_of
from tfmeta.estimation.refits import Refits
from tfmeta.estimation.rejection import find_rejection
from tfmeta.estimation.suspects import find_suspects
from tfmeta.estimation.to_label import label_next, notes_on_gain

# Few folds for the estimate (Dumitrescu and others, 2023), dealt anew several times: by
# one dealing of 5 x 10 examples the mean error was a tenth larger on validation classes
# of miniImageNet, and half as large again on those of CLINC150. Of many examples,
# counted by classes, one will do.
_FOLDS, _REPEATS, _ONCE_ABOVE = 5, 3, 10_000
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
    further = None
    if unlabelled is not None:
        further = checked_features("unlabelled", unlabelled)
        checked_rows("unlabelled_names", unlabelled_names, len(further))
    class_names, numbers = numbered(labels)
    names = tuple(map(str, range(len(numbers)) if examples is None else examples))
    # Numbers as they were measured may be alike in all directions.
    links = find_links(features, digests, nearly=kind != "arrays")
    groups = check_links(links, numbers, class_names)
    report = on_progress or (lambda what, done, of_all: None)
    turned = in_their_span(features)
    if head == AUTO:
        choice = choose_head(
            turned,
            numbers,
            seed=seed,
            on_progress=functools.partial(report, "choosing a head"),
            groups=groups,
        )
    else:
        choice = Choice(head, reason="as given")
    refits = Refits(
        shared_head(choice.head, turned.shape[1]),
        turned,
        numbers,
        len(class_names),
    )
    repeats = _REPEATS if len(numbers) * len(class_names) <= _ONCE_ABOVE else 1
    splits = stratified_folds(
        numbers, _FOLDS, seed=seed, repeats=repeats, groups=groups
    )
    left_out = leave_out(
        refits,
        splits,
        numbers,
        on_progress=functools.partial(report, "leaving out"),
    )
    probabilities = left_out.probabilities(len(numbers))
    once = len(left_out.rows) // repeats
    known = left_out.where(np.arange(len(left_out.rows)) < once)
    folds = int(known.split[-1]) + 1
    accuracy, curve = curve_of(
        refits,
        splits[:folds],
        numbers,
        float(left_out.right.mean()),
        seed=seed,
        on_progress=functools.partial(report, "fewer examples"),
    )
    next_ones: tuple[NextToLabel, ...] = ()
    if further is not None:
        next_ones = label_next(
            features,
            numbers,
            further,
            head=choice.head,
            seed=seed,
            class_names=class_names,
            names=unlabelled_names,
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
        to_label=next_ones,
        notes=(
            *notes_of(
                accuracy,
                numbers,
                class_names,
                links,
                float(left_out.right.mean()),
            ),
            *notes_on_gain(numbers, next_ones),
        ),
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
