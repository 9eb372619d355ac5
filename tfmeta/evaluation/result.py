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
        episode_auroc: Float64 `(episodes,)`: the area under the ROC curve of
            each episode of two ways, `None` for episodes of more.
    """

    protocol: dict[str, Any]
    transductive: bool
    episode_accuracies: np.ndarray
    class_names: tuple[str, ...]
    class_clusters: tuple[str, ...]
    class_correct: np.ndarray
    class_total: np.ndarray
    episode_auroc: np.ndarray | None = None

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
    def chance(self) -> float:
        """Expected accuracy of guessing, from 0 to 1."""
        ways = self.protocol["ways"]
        least, most = (ways, ways) if isinstance(ways, int) else ways
        return float(np.mean([1.0 / n for n in range(least, most + 1)]))

    @property
    def auroc(self) -> float | None:
        """Mean area under the ROC curve over episodes of two ways, 0.5 by chance."""
        return (
            None if self.episode_auroc is None else float(np.mean(self.episode_auroc))
        )

    @property
    def auroc_over_episode_draws(self) -> float | None:
        """Half-width of the 95 % interval of `auroc` over episode draws."""
        if self.episode_auroc is None:
            return None
        return over_episode_draws(self.episode_auroc)

    @property
    def num_clusters(self) -> int:
        """Number of test classes with queries, rotations folded."""
        pairs = zip(self.class_clusters, self.class_total, strict=True)
        return len({cluster for cluster, total in pairs if total})

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values with every per-episode and per-class result."""
        low, high = self.over_test_classes
        binary = {}
        if self.episode_auroc is not None:
            binary = {
                "auroc": self.auroc,
                "auroc_over_episode_draws": self.auroc_over_episode_draws,
                "episode_auroc": self.episode_auroc.tolist(),
            }
        return {
            "protocol": self.protocol,
            "transductive": self.transductive,
            "accuracy": self.accuracy,
            "over_episode_draws": self.over_episode_draws,
            "over_test_classes": [low, high],
            "episode_accuracies": self.episode_accuracies.tolist(),
            **binary,
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
        classes, areas = values["classes"], values.get("episode_auroc")
        return cls(
            protocol=values["protocol"],
            transductive=values["transductive"],
            episode_accuracies=np.array(values["episode_accuracies"], np.float64),
            class_names=tuple(c["name"] for c in classes),
            class_clusters=tuple(c["made_from"] for c in classes),
            class_correct=np.array([c["correct"] for c in classes], np.int64),
            class_total=np.array([c["total"] for c in classes], np.int64),
            episode_auroc=None if areas is None else np.array(areas, np.float64),
        )

    def __str__(self) -> str:
        p = self.protocol
        low, high = self.over_test_classes
        kind = "transductive" if self.transductive else "inductive"
        binary = []
        if self.episode_auroc is not None:
            binary = [
                f"  AUROC                     {self.auroc:.4f} ± "
                f"{self.auroc_over_episode_draws:.4f}  (mean of the episodes', 95 % "
                "over episode draws)"
            ]
        return "\n".join(
            [
                f"{p['ways']}-way {p['shots']}-shot on {p['table']}, {p['queries']} "
                f"queries a class, {kind}: {100 * self.accuracy:.2f} %",
                f"  95 % over episode draws   ± {100 * self.over_episode_draws:.2f}"
                f"  ({p['episodes']:,} episodes, seed {p['seed']})",
                f"  95 % over test classes    {100 * low:.2f} to {100 * high:.2f}"
                f"  (bootstrap over {self.num_clusters} classes with their examples)",
                *binary,
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
