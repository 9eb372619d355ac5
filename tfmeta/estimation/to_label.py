"""Which unlabelled examples to label next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.estimation.checks import checked_features, checked_rows
from tfmeta.estimation.covering import Cover, directions, squared_distances
from tfmeta.estimation.expectation import NextToLabel
from tfmeta.estimation.heads import shared_head
from tfmeta.estimation.refits import Refits, Split, softmax
from tfmeta.features.digests import example_digests

# Of more examples a sample stands for all: similarities are between any two.
_SAMPLE = 4096
# So many rows are compared at once, and of so many the scale of distances is taken.
_BLOCK = 1024
_FEW = 512
_MOST = 1000
# What an example weighs that is answered without a doubt. Chosen on validation classes
# of CLINC150 (benchmarks/label_next.py); from 0.2 to 0.5 it makes little difference.
_CERTAIN = 0.3
# Labels of each of five classes before, and the points that ten more gained over ten at
# random: the least and the most of three data sets (benchmarks/RESULTS.md).
_GAINS = ((1, "3 to 9"), (2, "2 to 5"), (5, "1 to 3"))
# Above it the reason names a second class.
_DOUBT = 0.5


def label_next(
    features: np.ndarray,
    labels: np.ndarray,
    unlabelled: np.ndarray,
    *,
    head: str,
    count: int = 10,
    seed: int = 0,
    rejected: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> tuple[NextToLabel, ...]:
    """Names the unlabelled examples whose labels are worth the most.

    They are to cover the others: each example counts by its similarity to the nearest
    one that has a label or is chosen, and the more, the less sure the head is of it.
    With few labels that is a choice of typical examples far from those labelled, which
    answers in doubt cannot make (Hacohen, Dekel and Weinshall, 2022, *Active Learning
    on a Budget*); with more of them it is one of typical examples in doubt. Bae, Ahn,
    Oh and Sutherland (2025, *Uncertainty Herding: One Active Learning Method for All
    Label Budgets*) is the source of the sum, Gaussian similarities of features of unit
    length included; a sure answer keeps a part of its weight here, as heads on one or
    two shots are sure of much that is wrong.

    The choice is a function of the contents: the order of the unlabelled is without
    effect, copies count once, and those of labelled examples are not named.

    Args:
        features: Float32 `(examples, features)`.
        labels: Int `(examples,)`, from 0 on.
        unlabelled: Float32 `(unlabelled, features)`. Of more than 4,096 different ones
            as many are drawn, which stand for all and are chosen from.
        head: Name of a head, as of `head_on_features`.
        count: How many to name, at most 1,000.
        seed: Of that draw.
        rejected: Float32 `(rejected, features)`: examples that somebody has looked at,
            and found of none of the classes. Those like them are not named again.
        class_names: By label; numbers by default.
        names: What each of the unlabelled is called; numbers by default.

    Returns:
        The first is worth the most. Less than `count` where there are not so many
        different ones.

    Raises:
        ValueError: When shapes do not fit, there are no labelled examples, numbers are
            not finite, or `count` is out of its bounds.

    Example:

    ```python
    for one in label_next(features, labels, unlabelled, head="simple_shot"):
        print(one.row, one.answer, one.reason)
    ```
    """
    features = checked_features("features", features)
    unlabelled = _alike("unlabelled", unlabelled, features)
    labels = np.asarray(labels)
    checked_rows("labels", labels, len(features))
    checked_rows("names", names, len(unlabelled))
    if not len(labels):
        raise ValueError("`labels` must be of at least 1 example. Received: none")
    if not 1 <= count <= _MOST:
        raise ValueError(f"`count` must be from 1 to {_MOST:,}. Received: {count}")
    others = features[:0] if rejected is None else rejected
    seen = np.concatenate([features, _alike("rejected", others, features)])
    rows = _different(unlabelled, seen, seed)
    if not len(rows):
        return ()
    asked = unlabelled[rows]
    probabilities = _probabilities(head, features, labels, asked)
    cover = _cover(asked, seen, worth(probabilities))
    found = []
    for point in cover.greedy():
        found.append((point, cover.nearest_to(point) / len(rows)))
        if len(found) == count:
            break
        cover.take(point)
    return tuple(
        _named(int(rows[point]), probabilities[point], share, class_names, names)
        for point, share in found
    )


def notes_on_gain(labels: np.ndarray, chosen: Sequence[NextToLabel]) -> tuple[str, ...]:
    """What labels that are chosen so have been worth elsewhere, in a sentence.

    Args:
        labels: Int `(examples,)`, those that are there.
        chosen: What was named; nothing is said where that is nothing.
    """
    if not chosen:
        return ()
    shots = len(labels) / len(np.unique(labels))
    most, _ = _GAINS[-1]
    if shots > most:
        return (
            f"With more than {most} labels of each class it was not measured what the "
            "choice of the next is worth: it may be no more than labels at random.",
        )
    count, points = min(_GAINS, key=lambda gain: abs(gain[0] - shots))
    return (
        f"With {count} label{'s' * (count > 1)} of each class, ten chosen so took "
        f"{points} points further than ten at random, on tasks of five classes; from a "
        "pool with few of some classes not before twenty.",
    )


def worth(probabilities: np.ndarray) -> np.ndarray:
    """What examples weigh: more, the nearer the two most probable classes are.

    Args:
        probabilities: Float `(examples, ways)`.

    Returns:
        Float32 `(examples,)`, from 0.3 to 1.
    """
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    return (1.0 - (1.0 - _CERTAIN) * (first - second)).astype(np.float32)


def cover_of(squares: np.ndarray, nearest: np.ndarray, weights: np.ndarray) -> Cover:
    """The cover of points by those seen, by Gaussian similarity.

    Its width is the median distance between two points.

    Args:
        squares: Squared distances between points, float32 `(points, points)`.
        nearest: Those to the nearest one that was seen, float32 `(points,)`; infinity
            without any.
        weights: Float32 `(points,)`.
    """
    few = squares[:_FEW, :_FEW]
    apart = few[~np.eye(len(few), dtype=bool)]
    # Of a single point, or of equal ones, there is no scale.
    scale = max(float(np.median(apart)) if len(apart) else 1.0, 1e-6)
    similarities = np.exp(squares / -scale)
    np.fill_diagonal(similarities, 1.0)
    return Cover(similarities, np.exp(-nearest / scale), weights)


def _cover(asked: np.ndarray, seen: np.ndarray, weights: np.ndarray) -> Cover:
    points, taken = directions(asked), directions(seen)
    nearest = np.full(len(points), np.inf, np.float32)
    for start in range(0, len(taken), _BLOCK):
        block = squared_distances(points, taken[start : start + _BLOCK])
        np.minimum(nearest, block.min(axis=1), out=nearest)
    return cover_of(squared_distances(points, points), nearest, weights)


def _probabilities(
    head: str, features: np.ndarray, labels: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    ways = int(labels.max()) + 1
    refits = Refits(
        shared_head(head, features.shape[1]),
        np.concatenate([features, asked]),
        np.concatenate([labels, np.zeros(len(asked), labels.dtype)]),
        ways,
    )
    known, further = np.split(np.arange(len(features) + len(asked)), [len(features)])
    ((_, logits),) = refits.logits([Split(known, further)])
    return softmax(logits)


def _different(unlabelled: np.ndarray, seen: np.ndarray, seed: int) -> np.ndarray:
    """Rows to choose from: one of each content, in an order of the contents alone."""
    digests = np.concatenate([example_digests(part) for part in (seen, unlabelled)])
    _, first = np.unique(digests, axis=0, return_index=True)
    rows = first[first >= len(seen)] - len(seen)
    if len(rows) > _SAMPLE:
        drawn = np.random.default_rng(seed).choice(len(rows), _SAMPLE, replace=False)
        rows = rows[np.sort(drawn)]
    return rows


def _named(
    row: int,
    probabilities: np.ndarray,
    share: float,
    class_names: Sequence[str] | None,
    names: Sequence[str] | None,
) -> NextToLabel:
    order = np.argsort(-probabilities, kind="stable")
    called = [str(k) if class_names is None else str(class_names[k]) for k in order]
    first = float(probabilities[order[0]])
    reason = f"nearer than any label to {100 * share:.0f} % of the unlabelled"
    if len(order) > 1 and first - probabilities[order[1]] < _DOUBT:
        reason += f"; {called[0]} or {called[1]}"
    name = str(row) if names is None else str(names[row])
    return NextToLabel(row, name, called[0], first, reason)


def _alike(name: str, values: np.ndarray, features: np.ndarray) -> np.ndarray:
    values = checked_features(name, values)
    if values.shape[1] != features.shape[1]:
        raise ValueError(
            f"`{name}` must have {features.shape[1]} features, as the labelled "
            f"examples. Received: {values.shape[1]}"
        )
    return values
