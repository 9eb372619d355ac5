"""Two learners on identical episodes."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.evaluation.intervals import over_episode_draws, over_test_classes
from tfmeta.evaluation.result import EvaluationResult


@dataclasses.dataclass(frozen=True)
class PairedComparison:
    """Difference of two learners on identical episodes.

    Attributes:
        difference: Mean of the first minus the second, from -1 to 1.
        half_width: Of the 95 % interval over episode draws.
        over_test_classes: 95 % interval of the difference over test classes and
            their images: the cluster bootstrap of the per-class differences.
        episodes: Number of episodes.
        num_clusters: Number of test classes, rotations folded.
    """

    difference: float
    half_width: float
    over_test_classes: tuple[float, float]
    episodes: int
    num_clusters: int

    @property
    def better(self) -> str | None:
        """`"first"` or `"second"`, or `None` where that is not shown.

        It is when both intervals exclude 0: then neither other episodes nor
        other classes of the kind would be expected to turn the difference round.
        """
        low, high = self.over_test_classes
        if min(low, self.difference - self.half_width) > 0:
            return "first"
        if max(high, self.difference + self.half_width) < 0:
            return "second"
        return None

    def __str__(self) -> str:
        low, high = self.over_test_classes
        return "\n".join(
            [
                f"difference {100 * self.difference:+.2f} points",
                f"  95 % over episode draws   ± {100 * self.half_width:.2f}"
                f"  ({self.episodes:,} identical episodes)",
                f"  95 % over test classes    {100 * low:+.2f} to {100 * high:+.2f}"
                f"  (bootstrap over {self.num_clusters} classes with their examples)",
            ]
        )


def compare(first: EvaluationResult, second: EvaluationResult) -> PairedComparison:
    """Compares two learners by paired differences on identical episodes.

    Overlap of two separate intervals is no test: most of what varies between
    episodes, and between classes, is common to both learners and cancels in the
    difference.

    Raises:
        ValueError: When the two were not measured on the same episodes.

    Example:

    ```python
    print(tfmeta.evaluation.compare(result_a, result_b))
    ```
    """
    check_same_protocol(first, second)
    differences = first.episode_accuracies - second.episode_accuracies
    return PairedComparison(
        difference=float(np.mean(differences)),
        half_width=over_episode_draws(differences),
        over_test_classes=over_test_classes(
            first.class_correct - second.class_correct,
            first.class_total,
            first.class_clusters,
        ),
        episodes=len(differences),
        num_clusters=first.num_clusters,
    )


def check_same_protocol(first: EvaluationResult, second: EvaluationResult) -> None:
    """Checks that two results are of the same episodes.

    Raises:
        ValueError: When they are not; names what differs.
    """
    for name in sorted({*first.protocol, *second.protocol}):
        ours, theirs = first.protocol.get(name), second.protocol.get(name)
        if ours != theirs:
            raise ValueError(
                f"results compare on identical episodes only; `{name}` must agree. "
                f"Received: {ours!r} and {theirs!r}"
            )
