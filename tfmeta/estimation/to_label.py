"""Which unlabelled examples to label next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.estimation.covering import Cover, directions, squared_distances
from tfmeta.estimation.expectation import NextToLabel
from tfmeta.estimation.heads import head_on_features
from tfmeta.estimation.refits import ask_head, fit_head, softmax
from tfmeta.features.digests import example_digests
from tfmeta.finite_checks import check_finite

# Of more examples a sample stands for all: similarities are between any two.
_SAMPLE = 4096
# So many rows are compared at once, and of so many the scale of distances is taken.
_BLOCK = 1024
_FEW = 512
_MOST = 1000
# What an example weighs that is answered without a doubt. Chosen on validation classes
# of miniImageNet, CLINC150 and Omniglot (benchmarks/label_next.py).
_CERTAIN = 0.3
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
    labels = np.asarray(labels)
    others = np.empty((0, features.shape[1])) if rejected is None else rejected
    _check(features, labels, unlabelled, others, count)
    seen = np.concatenate([np.asarray(features, np.float32), others], dtype=np.float32)
    rows = _different(unlabelled, seen, seed)
    if not len(rows):
        return ()
    ways = int(labels.max()) + 1
    asked = np.asarray(unlabelled[rows], np.float32)
    learner = head_on_features(head, features.shape[1])
    state = fit_head(learner, features, labels, ways)
    probabilities = softmax(ask_head(learner, state, asked))
    check_finite("probabilities", probabilities)
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


def _different(unlabelled: np.ndarray, seen: np.ndarray, seed: int) -> np.ndarray:
    """Rows to choose from: one of each content, in an order of the contents alone."""
    digests = np.concatenate(
        [example_digests(_rows_of_float32(part)) for part in (seen, unlabelled)]
    )
    _, first = np.unique(digests, axis=0, return_index=True)
    rows = first[first >= len(seen)] - len(seen)
    if len(rows) > _SAMPLE:
        drawn = np.random.default_rng(seed).choice(len(rows), _SAMPLE, replace=False)
        rows = rows[np.sort(drawn)]
    return rows


def _rows_of_float32(values: np.ndarray) -> np.ndarray:
    # What lies on disk stays there.
    return values if values.dtype == np.float32 else values.astype(np.float32)


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


def _check(
    features: np.ndarray,
    labels: np.ndarray,
    unlabelled: np.ndarray,
    rejected: np.ndarray,
    count: int,
) -> None:
    if labels.shape != (len(features),) or not len(labels):
        raise ValueError(
            "`labels` must be one for each of `features`, and at least one. Received: "
            f"labels of shape {labels.shape} for {len(features)} features"
        )
    for name, values in (
        ("features", features),
        ("unlabelled", unlabelled),
        ("rejected", rejected),
    ):
        if values.ndim != 2 or values.shape[1] != features.shape[1]:
            raise ValueError(
                f"`{name}` must be of shape (examples, {features.shape[1]}). "
                f"Received: {values.shape}"
            )
        for start in range(0, len(values), _BLOCK):
            check_finite(name, values[start : start + _BLOCK])
    if not 1 <= count <= _MOST:
        raise ValueError(f"`count` must be from 1 to {_MOST:,}. Received: {count}")
