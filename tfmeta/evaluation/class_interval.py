"""The interval over test classes: what other classes of the kind would have given."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmeta.evaluation.intervals import student_t
from tfmeta.finite_checks import check_finite

NO_CLASSES = "the tasks have no classes"
_NOT_KEPT = "the classes of the episodes were not kept; evaluate again"


@dataclasses.dataclass(frozen=True)
class ClassInterval:
    """95 % interval over test classes and their examples, or why there is none.

    Attributes:
        ends: Lower and upper end, in the unit of the figure; `None` where the
            episodes cannot tell.
        clusters: Number of test classes in the episodes, rotations folded.
        reason: Why there is no interval, in words; `None` where there is one.
        unit: What a cluster is called, in the plural.
    """

    ends: tuple[float, float] | None
    clusters: int
    reason: str | None = None
    unit: str = "classes"

    def excludes(self, value: float) -> bool:
        """Whether there is an interval, and the value lies outside."""
        return self.ends is not None and not self.ends[0] <= value <= self.ends[1]

    def text(self, form: str = "{:.2f}", *, scale: float = 100.0) -> str:
        """`low to high`, or `–` where there is none.

        Args:
            form: Format of an end.
            scale: What ends are multiplied by; 100 makes percent of shares.
        """
        if self.ends is None:
            return "–"
        low, high = (form.format(scale * end) for end in self.ends)
        return f"{low} to {high}"

    def line(self, form: str = "{:.2f}", *, scale: float = 100.0) -> str:
        """The interval and what it is over, or in words why there is none."""
        if self.ends is None:
            return f"none: {self.reason}"
        return (
            f"{self.text(form, scale=scale)}"
            f"  (jackknife over {self.clusters} {self.unit} with their examples)"
        )

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        ends = None if self.ends is None else list(self.ends)
        return {"ends": ends, "clusters": self.clusters, "reason": self.reason}

    @classmethod
    def from_json(cls, values: dict[str, Any] | list[float]) -> ClassInterval:
        """The interval of a `to_json`; of the two ends that were kept before, none.

        Those resampled the recall of each class, without its part as a competitor.
        """
        if isinstance(values, list):
            return cls(None, 0, _NOT_KEPT)
        ends = values["ends"]
        return cls(ends and (ends[0], ends[1]), values["clusters"], values["reason"])


def over_test_classes(
    values: np.ndarray,
    classes: np.ndarray | None,
    clusters: Sequence[str],
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    unit: str = "classes",
) -> ClassInterval:
    """95 % interval of a mean over episodes, over test classes and their images.

    A class takes part in a figure twice: by its own queries, and as a competitor
    of the other classes of its episodes. So it is the episodes that are left out,
    those that hold the class: a delete-one jackknife of the mean over episodes
    (Efron and Stein, 1981, *The Jackknife Estimate of Variance*). A class brings
    its own images along, so their luck is covered with it. With `θ(c)` the mean
    over the episodes without class `c`, of `n` classes and `E` episodes of
    variance `s²`, `m_c` of which hold `c`, the variance is

    `(n − 1)/n · [Σ (θ(c) − mean)² − Σ s² m_c / (E (E − m_c))] + s²/E`,

    where the second sum is what the luck of drawing puts into the first. Episodes of
    different numbers of ways are left out among their like, for those of few ways
    hold a class less often and are easier. The interval is the mean plus and minus
    the percentile of Student's t with `n − 1` degrees of freedom.

    Classes made from one class (rotations) are one, and so are classes that never
    occur apart (the two ways of one assay). Where episodes lie within one group
    (`same_group`), the interval is over other classes of these groups.

    Args:
        values: Float `(episodes,)`: accuracy, area under the curve, or a difference
            of two learners, of each episode.
        classes: Int `(episodes, ways)`: the classes of each episode, also those
            that have no support; -1 where padded. `None` where they are not known.
        clusters: Name of the cluster of each class.
        bounds: What the figure cannot go beyond: -1 and 1 for differences.
        unit: What a cluster is called, in the plural.

    Returns:
        The interval; without ends where every episode of some number of ways holds
        one class, which then cannot be left out, and where the classes' part in the
        spread is below what so few episodes can show.

    Raises:
        ValueError: When the shapes do not go together, or a value is not finite.

    Example:

    ```python
    found = over_test_classes(result.episode_accuracies, result.episode_classes, names)
    found.ends  # (0.42, 0.51), or None: then found.reason says why
    ```
    """
    values = np.asarray(values, np.float64)
    check_finite("values", values)
    if values.ndim != 1:
        raise ValueError(
            f"`values` must be one for each episode. Received: shape {values.shape}"
        )
    if classes is None:
        return ClassInterval(None, 0, _NOT_KEPT, unit)
    classes = np.asarray(classes)
    if classes.ndim != 2 or len(classes) != len(values):
        raise ValueError(
            "`classes` must hold the classes of each episode, (episodes, ways). "
            f"Received: shape {classes.shape} for {len(values)} episodes"
        )
    if len(values) and np.ptp(values) == 0:
        drawn = {clusters[c] for c in np.unique(classes[classes >= 0])}
        reason = f"all episodes give the same, whatever {unit} they hold"
        return ClassInterval(None, len(drawn), reason, unit)
    (cluster, episode), names = _memberships(classes, clusters)
    count = len(names)
    means, luck = np.zeros(count), np.zeros(count)
    ways = np.sum(classes >= 0, axis=1)
    for number in np.unique(ways):
        alike = ways == number
        of_these, episodes = values[alike], int(alike.sum())
        held = alike[episode]
        with_class = np.bincount(cluster[held], minlength=count)
        stuck = np.flatnonzero(with_class == episodes)
        if len(stuck):
            reason = _stuck(names[stuck[0]], number, ways)
            return ClassInterval(None, count, reason, unit)
        sums = np.bincount(cluster[held], values[episode[held]], count)
        without, share = episodes - with_class, episodes / len(values)
        means += share * (of_these.sum() - sums) / without
        spread = np.var(of_these, ddof=1)
        luck += share**2 * spread * with_class / (episodes * without)
    of_classes = np.sum(np.square(means - means.mean())) - np.sum(luck)
    # Of values that depend on nothing but the ways, rounding alone is left.
    if not of_classes > np.finfo(np.float64).eps * np.mean(np.square(values)):
        reason = (
            f"what the {count} {unit} put into the spread is below what "
            f"{len(values):,} episodes can show"
        )
        return ClassInterval(None, count, reason, unit)
    variance = (count - 1) / count * of_classes + np.var(values, ddof=1) / len(values)
    half_width = student_t(count - 1) * math.sqrt(variance)
    low, high = values.mean() - half_width, values.mean() + half_width
    ends = (float(max(low, bounds[0])), float(min(high, bounds[1])))
    return ClassInterval(ends, count, unit=unit)


def _memberships(
    classes: np.ndarray, clusters: Sequence[str]
) -> tuple[tuple[np.ndarray, np.ndarray], list[str]]:
    """Pairs of a cluster and an episode that holds it, and the clusters' names."""
    names, codes = np.unique(np.asarray(clusters, str), return_inverse=True)
    holds = np.zeros((len(names), len(classes)), bool)
    rows, columns = np.nonzero(classes >= 0)
    holds[codes[classes[rows, columns]], rows] = True
    drawn = np.flatnonzero(holds.any(axis=1))
    # What is never apart cannot be left out apart.
    _, first = np.unique(np.packbits(holds[drawn], axis=1), axis=0, return_index=True)
    kept = drawn[np.sort(first)]
    cluster, episode = np.nonzero(holds[kept])
    return (cluster, episode), names[kept].tolist()


def _stuck(name: str, number: int, ways: np.ndarray) -> str:
    of_ways = "" if np.all(ways == number) else f" of {number} ways"
    return f"every episode{of_ways} holds {name!r}, which so cannot be left out"
