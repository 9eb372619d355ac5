"""What an evaluation found, with its intervals."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfmeta.evaluation.intervals import over_episode_draws, over_test_classes


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluationResult:
    """Accuracy of a learner on fixed test episodes.

    Attributes:
        protocol: What was measured: data set and its fingerprint, ways, shots,
            queries, episodes, seed. Two results compare only when it is equal.
        transductive: Whether a query's prediction depended on other queries.
        episode_accuracies: Float64 `(episodes,)`.
        class_names: The test classes.
        class_clusters: Per class, the class it was made from.
        class_correct: Int64 `(classes,)`: queries classified correctly.
        class_total: Int64 `(classes,)`: queries.
    """

    protocol: dict[str, Any]
    transductive: bool
    episode_accuracies: np.ndarray
    class_names: tuple[str, ...]
    class_clusters: tuple[str, ...]
    class_correct: np.ndarray
    class_total: np.ndarray

    @property
    def accuracy(self) -> float:
        """Mean accuracy over episodes, from 0 to 1."""
        return float(np.mean(self.episode_accuracies))

    @property
    def over_episode_draws(self) -> float:
        """Half-width of the 95 % interval over episode draws."""
        return over_episode_draws(self.episode_accuracies)

    @property
    def over_test_classes(self) -> tuple[float, float]:
        """95 % interval over test classes and images."""
        return over_test_classes(
            self.class_correct, self.class_total, self.class_clusters
        )

    @property
    def num_clusters(self) -> int:
        """Number of test classes with queries, rotations folded."""
        pairs = zip(self.class_clusters, self.class_total, strict=True)
        return len({cluster for cluster, total in pairs if total})

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values with every per-episode and per-class result."""
        low, high = self.over_test_classes
        return {
            "protocol": self.protocol,
            "transductive": self.transductive,
            "accuracy": self.accuracy,
            "over_episode_draws": self.over_episode_draws,
            "over_test_classes": [low, high],
            "episode_accuracies": self.episode_accuracies.tolist(),
            "classes": [
                {"name": name, "made_from": origin, "correct": int(c), "total": int(t)}
                for name, origin, c, t in zip(
                    self.class_names,
                    self.class_clusters,
                    self.class_correct,
                    self.class_total,
                    strict=True,
                )
            ],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EvaluationResult:
        """The result of a `to_json`."""
        classes = values["classes"]
        return cls(
            protocol=values["protocol"],
            transductive=values["transductive"],
            episode_accuracies=np.array(values["episode_accuracies"], np.float64),
            class_names=tuple(c["name"] for c in classes),
            class_clusters=tuple(c["made_from"] for c in classes),
            class_correct=np.array([c["correct"] for c in classes], np.int64),
            class_total=np.array([c["total"] for c in classes], np.int64),
        )

    def __str__(self) -> str:
        p = self.protocol
        low, high = self.over_test_classes
        kind = "transductive" if self.transductive else "inductive"
        return "\n".join(
            [
                f"{p['ways']}-way {p['shots']}-shot on {p['table']}, {p['queries']} "
                f"queries a class, {kind}: {100 * self.accuracy:.2f} %",
                f"  95 % over episode draws   ± {100 * self.over_episode_draws:.2f}"
                f"  ({p['episodes']:,} episodes, seed {p['seed']})",
                f"  95 % over test classes    {100 * low:.2f} to {100 * high:.2f}"
                f"  (bootstrap over {self.num_clusters} classes with their images)",
            ]
        )


@dataclasses.dataclass(frozen=True)
class PairedComparison:
    """Difference of two learners on identical episodes.

    Attributes:
        difference: Mean of the first minus the second, from -1 to 1.
        half_width: Of the 95 % interval over episode draws.
        episodes: Number of episodes.
    """

    difference: float
    half_width: float
    episodes: int

    def __str__(self) -> str:
        return (
            f"difference {100 * self.difference:+.2f} ± {100 * self.half_width:.2f} "
            f"points (95 % over {self.episodes:,} identical episodes)"
        )


def compare(first: EvaluationResult, second: EvaluationResult) -> PairedComparison:
    """Compares two learners by paired differences on identical episodes.

    Overlap of two separate intervals is no test: most of what varies between
    episodes is common to both learners and cancels in the difference.

    Raises:
        ValueError: When the two were not measured on the same episodes.

    Example:

    ```python
    print(tfmeta.evaluation.compare(result_a, result_b))
    ```
    """
    for name in sorted({*first.protocol, *second.protocol}):
        ours, theirs = first.protocol.get(name), second.protocol.get(name)
        if ours != theirs:
            raise ValueError(
                f"results compare on identical episodes only; `{name}` must agree. "
                f"Received: {ours!r} and {theirs!r}"
            )
    differences = first.episode_accuracies - second.episode_accuracies
    return PairedComparison(
        difference=float(np.mean(differences)),
        half_width=over_episode_draws(differences),
        episodes=len(differences),
    )
