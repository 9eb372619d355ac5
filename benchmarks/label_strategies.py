"""Ways to choose which examples to label, on similarities that are there already."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans

from tfmeta.estimation.to_label import cover_of, worth


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """What a strategy knows when it is asked.

    Attributes:
        features: Float32 `(rows, features)` of the data set, of unit length.
        cosines: Float32 `(rows, rows)`.
        left: Rows that can be labelled.
        seen: Rows that were looked at: labelled, or of none of the classes.
        probabilities: `(left, ways)`, of the head so far.
        count: How many to choose.
        rng: Where a strategy is random.
    """

    features: np.ndarray
    cosines: np.ndarray
    left: np.ndarray
    seen: np.ndarray
    probabilities: np.ndarray
    count: int
    rng: np.random.Generator

    def squares(self, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Squared distances between rows."""
        return np.maximum(2.0 - 2.0 * self.cosines[np.ix_(ones, others)], 0.0)


# From what is known to places within `left`, the first to be labelled first.
Strategy = Callable[[Asked], np.ndarray]


def at_random(asked: Asked) -> np.ndarray:
    """Uniformly."""
    return asked.rng.permutation(len(asked.left))[: asked.count]


def least_margin(asked: Asked) -> np.ndarray:
    """The least difference between the two largest probabilities."""
    top = np.sort(asked.probabilities, axis=1)
    return np.argsort(top[:, -1] - top[:, -2], kind="stable")[: asked.count]


def most_entropy(asked: Asked) -> np.ndarray:
    """The largest entropy of the probabilities."""
    p = asked.probabilities
    entropy = -(p * np.log(p + 1e-12)).sum(axis=1)
    return np.argsort(-entropy, kind="stable")[: asked.count]


def farthest_first(asked: Asked) -> np.ndarray:
    """k-center (Sener and Savarese, 2018): each the farthest from all before."""
    nearest = asked.squares(asked.left, asked.seen).min(axis=1)
    chosen: list[int] = []
    for _ in range(asked.count):
        chosen.append(int(nearest.argmax()))
        row = asked.left[chosen[-1:]]
        nearest = np.minimum(nearest, asked.squares(asked.left, row)[:, 0])
    return np.array(chosen)


def badge(asked: Asked) -> np.ndarray:
    """BADGE (Ash and others, 2020): k-means++ on gradients of the last layer."""
    gaps = asked.probabilities.copy()
    gaps[np.arange(len(gaps)), gaps.argmax(axis=1)] -= 1.0
    lengths = np.square(gaps).sum(axis=1)
    nearest, chosen = lengths, [int(lengths.argmax())]
    while len(chosen) < asked.count:
        last = chosen[-1]
        cosines = asked.cosines[asked.left, asked.left[last]]
        apart = lengths + lengths[last] - 2.0 * (gaps @ gaps[last]) * cosines
        nearest = np.minimum(nearest, np.maximum(apart, 0.0))
        nearest[chosen] = 0.0
        chance = nearest / nearest.sum() if nearest.any() else None
        chosen.append(int(asked.rng.choice(len(gaps), p=chance)))
    return np.array(chosen)


def typiclust(asked: Asked) -> np.ndarray:
    """TypiClust (Hacohen, Dekel and Weinshall, 2022).

    Of the largest clusters without a label the most typical, by the mean distance to
    20 neighbours in its cluster.
    """
    rows = np.concatenate([asked.left, asked.seen])
    clusters = min(len(asked.seen) + asked.count, len(rows))
    chance = int(asked.rng.integers(2**31))
    of = KMeans(clusters, n_init=1, random_state=chance).fit_predict(
        asked.features[rows]
    )
    sizes = np.bincount(of, minlength=clusters)
    seen = np.bincount(of[len(asked.left) :], minlength=clusters)
    free = np.bincount(of[: len(asked.left)], minlength=clusters)
    order = np.lexsort((-sizes, seen))
    chosen: list[int] = []
    while len(chosen) < asked.count:
        for cluster in order[free[order] > 0][: asked.count - len(chosen)]:
            places = np.flatnonzero(of[: len(asked.left)] == cluster)
            places = np.setdiff1d(places, chosen)
            apart = np.sqrt(asked.squares(asked.left[places], rows[of == cluster]))
            near = np.sort(apart, axis=1)[:, 1:21]
            spread = near.mean(axis=1) if near.shape[1] else np.zeros(len(places))
            chosen.append(int(places[spread.argmin()]))
            free[cluster] -= 1
    return np.array(chosen)


def probcover(asked: Asked) -> np.ndarray:
    """ProbCover (Yehuda and others, 2022): most uncovered within a radius.

    The radius is the 5 % quantile of distances.
    """
    squares = asked.squares(asked.left, asked.left)
    radius = np.quantile(squares, 0.05)
    near = squares <= radius
    free = asked.squares(asked.left, asked.seen).min(axis=1) > radius
    chosen: list[int] = []
    for _ in range(asked.count):
        gain = near @ free.astype(np.float32)
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
        free &= ~near[chosen[-1]]
    return np.array(chosen)


def covering(weigh: Callable[[np.ndarray], np.ndarray]) -> Strategy:
    """Facility location, each example by a weight of its probabilities."""

    def strategy(asked: Asked) -> np.ndarray:
        cover = cover_of(
            asked.squares(asked.left, asked.left),
            asked.squares(asked.left, asked.seen).min(axis=1),
            weigh(asked.probabilities),
        )
        chosen: list[int] = []
        for point in cover.greedy():
            chosen.append(point)
            if len(chosen) == asked.count:
                break
            cover.take(point)
        # Copies are left.
        others = np.setdiff1d(np.arange(len(asked.left)), chosen)
        return np.concatenate([chosen, others]).astype(int)[: asked.count]

    return strategy


def _equal(probabilities: np.ndarray) -> np.ndarray:
    return np.ones(len(probabilities), np.float32)


def _without_certain(probabilities: np.ndarray, certain: float) -> np.ndarray:
    top = np.sort(probabilities, axis=1)
    margin = top[:, -1] - top[:, -2]
    return (1.0 - (1.0 - certain) * margin).astype(np.float32)


RANDOM, OURS, MARGIN = "at random", "label_next", "least margin"
STRATEGIES: dict[str, Strategy] = {
    RANDOM: at_random,
    MARGIN: least_margin,
    "most entropy": most_entropy,
    "farthest first": farthest_first,
    "BADGE": badge,
    "TypiClust": typiclust,
    "ProbCover": probcover,
    "covering, equal weights": covering(_equal),
    "covering, sure answers weigh 0": covering(lambda p: _without_certain(p, 0.0)),
    "covering, sure answers weigh 0.1": covering(lambda p: _without_certain(p, 0.1)),
    "covering, sure answers weigh 0.5": covering(lambda p: _without_certain(p, 0.5)),
    OURS: covering(worth),
}
