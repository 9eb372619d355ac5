"""Which distance of tasks is learned: the one that finds what is alike, held out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from scipy.spatial.distance import cdist

from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.tasks.alike_tasks import learned_metric
from tfmeta.tasks.description import Describer, Description
from tfmeta.tasks.feature_statistics import FeatureStatistics
from tfmeta.tasks.supervision import HeldOut, Lessons
from tfmeta.tasks.task_metric import TaskMetric

Metric = Literal["auto", "network", "linear"]
# The first of two that are as good.
KINDS = ("network", "linear")
_SIZE = 32


@dataclasses.dataclass(frozen=True)
class DistanceKind:
    """What describes tasks, and what is learned of that.

    Attributes:
        name: `"network"`, or `"linear"`: a matrix on what is of a task as a whole,
            which begins as the identity.
        describer: Of tasks.
    """

    name: str
    describer: Describer

    def like(self, description: Description, seed: int | None = None) -> TaskMetric:
        """A metric for such descriptions that has learned nothing."""
        if self.name == "network":
            return TaskMetric.of(description, size=_SIZE, seed=seed)
        size = description.common.shape[1]
        return TaskMetric.of(description, size=size, units=0, seed=seed)

    def learned(
        self,
        lessons: Lessons,
        *,
        epochs: int,
        seed: int,
        first: Description | None = None,
    ) -> TaskMetric:
        """The metric, learned.

        Args:
            lessons: From what.
            epochs: How many.
            seed: Of weights and of the order of tasks.
            first: The description of the tasks of the first lesson, where it is known.
        """
        begin, _ = lessons(0)
        known = self.of(begin) if first is None else first

        def draw(epoch: int) -> tuple[Description, np.ndarray]:
            drawn, alike = lessons(epoch)
            return (known if drawn is begin else self.of(drawn)), alike

        metric, _ = learned_metric(
            self.like(known, seed), draw, epochs=epochs, seed=seed
        )
        return metric

    def of(self, drawn: Any) -> Description:
        """The description of tasks by their support: of new ones there is no more."""
        return self.describer(drawn.support, drawn.labels)


def distance_kinds(describer: Describer | None = None) -> dict[str, DistanceKind]:
    """The distances there are.

    Args:
        describer: What describes tasks; by default mean, variances and the means of
            classes for a network, and the mean alone for a matrix.
    """
    by_default = {
        "network": FeatureStatistics(),
        "linear": FeatureStatistics("none"),
    }
    return {name: DistanceKind(name, describer or by_default[name]) for name in KINDS}


def precision_at_1(
    metric: TaskMetric, describer: Describer, held_out: HeldOut
) -> np.ndarray:
    """Whether the nearest known task is alike, float `(asked,)`."""
    asked, known = (
        metric.embed(describer(tasks.support, tasks.labels))
        for tasks in (held_out.asked, held_out.known)
    )
    distances = cdist(asked, known)
    if held_out.asked is held_out.known:
        np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    found: np.ndarray = held_out.alike[np.arange(len(nearest)), nearest].astype(float)
    return found


def chosen_distance(
    kinds: Mapping[str, DistanceKind],
    held_out: HeldOut | None,
    learn: Callable[[DistanceKind, Lessons], TaskMetric],
) -> dict[str, Any]:
    """Which distance finds more that is alike among tasks that are held out.

    Args:
        kinds: Those to choose among; of equal ones the first is taken.
        held_out: The tasks; `None` where there are too few to hold some out.
        learn: Learns a distance of a kind.

    Returns:
        JSON: `chosen`, the name of one; `precision_at_1` of each, by name, with half
        of the 95 % interval over the drawing of tasks; `held_out`, the number of
        tasks that were asked about, and what those that were learned from have not in
        common with them. Without tasks, as of few classes, the linear one is chosen,
        which has less to learn by heart, and the others are empty.
    """
    if held_out is None:
        chosen = "linear" if "linear" in kinds else next(iter(kinds))
        return {"chosen": chosen, "precision_at_1": {}, "held_out": {}}
    figures = {}
    for name, kind in kinds.items():
        metric = learn(kind, held_out.lessons)
        right = precision_at_1(metric, kind.describer, held_out)
        figures[name] = {
            "mean": float(right.mean()),
            "half_width": over_episode_draws(right),
        }
    return {
        "chosen": max(figures, key=lambda name: figures[name]["mean"]),
        "precision_at_1": figures,
        "held_out": {"tasks": len(held_out.asked), "apart": held_out.apart},
    }
