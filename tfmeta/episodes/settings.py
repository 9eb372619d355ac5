"""What the tasks of a sequence of episodes consist of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfmeta.episodes.arguments import check_concentration, check_count, check_range
from tfmeta.episodes.streams import check_seed


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpisodeSettings:
    """The arguments of `Episodes` that decide what is drawn.

    Attributes:
        ways: Smallest and largest number of classes.
        shots: Smallest and largest number of support examples per class.
        queries: Query examples per class.
        tasks: Tasks per batch.
        seed: Seed of the sequence.
        same_group: Whether all classes of a task share one group.
        allow_same_origin: Whether classes of one origin may meet in a task.
        balanced: Whether all classes of a task have equally many shots.
        unlabelled: Unlabelled examples per class.
        distractors: Further classes, with unlabelled examples alone.
        query_dirichlet: Concentration of the proportions of classes among the
            queries of a task, `None` for equally many of each.
        support: What the support holds, `"examples"` or `"attributes"`.
    """

    ways: tuple[int, int]
    shots: tuple[int, int]
    queries: int
    tasks: int
    seed: int
    same_group: bool
    allow_same_origin: bool
    balanced: bool
    unlabelled: int
    distractors: int
    query_dirichlet: float | None
    support: str

    @classmethod
    def checked(
        cls,
        *,
        ways: int | Sequence[int],
        shots: int | Sequence[int],
        queries: int,
        tasks: int,
        seed: int,
        same_group: bool,
        allow_same_origin: bool,
        balanced: bool,
        unlabelled: int,
        distractors: int,
        query_dirichlet: float | None,
        support: str,
    ) -> EpisodeSettings:
        """The settings of such arguments.

        Raises:
            ValueError: When one is out of range, or two do not go together.
        """
        settings = cls(
            ways=check_range("ways", ways, 2),
            shots=check_range("shots", shots, 1),
            queries=check_count("queries", queries, 1),
            tasks=check_count("tasks", tasks, 1),
            seed=check_seed(seed),
            same_group=same_group,
            allow_same_origin=allow_same_origin,
            balanced=balanced,
            unlabelled=check_count("unlabelled", unlabelled, 0),
            distractors=check_count("distractors", distractors, 0),
            query_dirichlet=check_concentration("query_dirichlet", query_dirichlet),
            support=support,
        )
        if support not in ("examples", "attributes"):
            raise ValueError(
                "`support` must be 'examples' or 'attributes'. Received: "
                f"support={support!r}"
            )
        if settings.of_attributes and settings.shots != (1, 1):
            raise ValueError(
                "`shots` must be 1 with support='attributes', where every class has "
                f"one row, its attributes. Received: shots={shots!r}"
            )
        if settings.distractors and not settings.unlabelled:
            raise ValueError(
                "`distractors` have unlabelled examples alone, so `unlabelled` must "
                f"be at least 1. Received: distractors={distractors}, unlabelled=0"
            )
        if not settings.balanced and not settings.shots_vary:
            raise ValueError(
                "`balanced=False` draws the shots of each class on its own, so `shots` "
                "must be a pair (smallest, largest) of different ints. Received: "
                f"shots={shots!r}"
            )
        if settings.query_dirichlet and (settings.ways_vary or settings.unlabelled):
            raise ValueError(
                "`query_dirichlet` needs a fixed number of `ways` and no `unlabelled` "
                f"examples. Received: query_dirichlet={query_dirichlet}, ways={ways}, "
                f"unlabelled={unlabelled}"
            )
        return settings

    @property
    def of_attributes(self) -> bool:
        """Whether the support holds attributes of the classes."""
        return self.support == "attributes"

    @property
    def most_ways(self) -> int:
        """The largest number of classes."""
        return self.ways[1]

    @property
    def most_shots(self) -> int:
        """The largest number of support examples per class."""
        return self.shots[1]

    @property
    def most_queries_of_a_class(self) -> int:
        """The largest number of queries that one class of a task can have."""
        if self.query_dirichlet is None:
            return self.queries
        return self.most_ways * self.queries

    @property
    def ways_vary(self) -> bool:
        """Whether the number of classes varies from task to task."""
        return self.ways[0] != self.ways[1]

    @property
    def shots_vary(self) -> bool:
        """Whether the number of support examples per class varies."""
        return self.shots[0] != self.shots[1]

    def describe(self) -> dict[str, Any]:
        """Plain values; what few episodes have is there only where they have it."""
        described: dict[str, Any] = {
            "ways": _plain(self.ways),
            "shots": _plain(self.shots),
            "queries": self.queries,
            "tasks": self.tasks,
            "seed": self.seed,
            "same_group": self.same_group,
            "allow_same_origin": self.allow_same_origin,
        }
        if not self.balanced:
            described["balanced"] = False
        if self.unlabelled:
            described["unlabelled"] = self.unlabelled
            described["distractors"] = self.distractors
        if self.of_attributes:
            described["support"] = self.support
        if self.query_dirichlet is not None:
            described["query_dirichlet"] = self.query_dirichlet
        return described


def _plain(pair: tuple[int, int]) -> int | list[int]:
    return pair[0] if pair[0] == pair[1] else list(pair)
