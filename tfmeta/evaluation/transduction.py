"""What a transductive figure is worth when its queries are not at hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfmeta.episodes import Episodes
from tfmeta.episodes.task_sequence import TaskSequence
from tfmeta.evaluation.figure import ACCURACY, Figure
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.finite_checks import check_finite

# As Veilleux et al. have it.
CONCENTRATION = 2.0


@dataclasses.dataclass(frozen=True, eq=False)
class Transduction:
    """The two figures that belong beside a transductive one.

    A transductive learner looks at all queries of a task together. Its figure
    takes for granted that they come together and, in the customary episodes, that
    there are equally many of each class, which many methods make use of (Veilleux,
    Boudiaf, Piantanida and Ben Ayed, 2021, *Realistic Evaluation of Transductive
    Few-Shot Learning*).

    Attributes:
        alone: Float64 `(episodes,)`: accuracies, for regression mean squared errors,
            when each query is answered by itself: the inductive figure, of the same
            episodes.
        unequal: Float64 `(episodes,)`: accuracies when the class proportions of
            the queries come from a Dirichlet distribution with concentration 2, of
            episodes with the same classes; `None` where these cannot be drawn, and
            where the proportions are such already.
        unequal_queries: Queries per class, on average, of `unequal`: fewer than
            usual where classes have too few examples; 0 where there is none.
    """

    alone: np.ndarray
    unequal: np.ndarray | None
    unequal_queries: int

    def __post_init__(self) -> None:
        check_finite("alone", self.alone)
        if self.unequal is not None:
            check_finite("unequal", self.unequal)

    def lines(self, figure: Figure, *, unequal_already: bool = False) -> list[str]:
        """What is printed beside the transductive figure.

        Args:
            figure: What the figures are.
            unequal_already: Whether the figure itself is of unequal classes.
        """
        alone = _with_half_width(figure, self.alone)
        said = [f"  each query by itself      {alone}  (inductive)"]
        if unequal_already or figure is not ACCURACY:
            return said
        if self.unequal is None:
            return [
                *said,
                "  unequal classes           not measured: they need more examples of "
                "each class, and a fixed number of ways",
            ]
        return [
            *said,
            f"  unequal classes           {_with_half_width(figure, self.unequal)}  "
            f"(proportions from Dirichlet({CONCENTRATION:g}), {self.unequal_queries} "
            "queries a class on average)",
        ]

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {
            "alone": self.alone.tolist(),
            "unequal": None if self.unequal is None else self.unequal.tolist(),
            "unequal_queries": self.unequal_queries,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Transduction:
        """The figures of a `to_json`."""
        unequal = values["unequal"]
        return cls(
            alone=np.array(values["alone"], np.float64),
            unequal=None if unequal is None else np.array(unequal, np.float64),
            unequal_queries=int(values["unequal_queries"]),
        )


def unequal_episodes(episodes: TaskSequence) -> Episodes | None:
    """Episodes of the same classes whose queries are not equally many of each.

    Returns:
        The episodes, with fewer queries where a class would not have enough, or
        `None` where there is no room for one of each, where the number of ways
        varies, where there are unlabelled examples, where the queries are so
        already, and for others than `Episodes`.
    """
    if not isinstance(episodes, Episodes):
        return None
    if episodes.ways_vary or episodes.unlabelled or episodes.query_dirichlet:
        return None
    room = int(episodes.table.class_sizes.min()) - episodes.shots
    queries = min(episodes.queries, room // episodes.ways)
    if queries < 1:
        return None
    return episodes.with_dirichlet_queries(CONCENTRATION, queries=queries)


def _with_half_width(figure: Figure, values: np.ndarray) -> str:
    half_width = figure.number(over_episode_draws(values))
    return f"{figure.number(float(np.mean(values)))} ± {half_width}"
