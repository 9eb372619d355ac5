"""Two learners on identical episodes."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.evaluation.class_interval import ClassInterval, over_test_classes
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.evaluation.result import EvaluationResult


@dataclasses.dataclass(frozen=True)
class PairedComparison:
    """Difference of two learners on identical episodes.

    Attributes:
        difference: Mean of the first minus the second, from -1 to 1.
        half_width: Of the 95 % interval over episode draws.
        over_test_classes: 95 % interval of the difference over test classes and
            their images, of the differences of the episodes.
        episodes: Number of episodes.
    """

    difference: float
    half_width: float
    over_test_classes: ClassInterval
    episodes: int

    @property
    def better(self) -> str | None:
        """`"first"` or `"second"`, or `None` where that is not shown.

        It is when both intervals exclude 0: then neither other episodes nor
        other classes of the kind would be expected to turn the difference round.
        Where there is no interval over test classes, nothing is shown.
        """
        if abs(self.difference) <= self.half_width:
            return None
        if not self.over_test_classes.excludes(0.0):
            return None
        return "first" if self.difference > 0 else "second"

    def __str__(self) -> str:
        return "\n".join(
            [
                f"difference {100 * self.difference:+.2f} points",
                f"  95 % over episode draws   ± {100 * self.half_width:.2f}"
                f"  ({self.episodes:,} identical episodes)",
                f"  95 % over test classes    {self.over_test_classes.line('{:+.2f}')}",
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
    # Of the same episodes; one of the two may have been kept without them.
    classes = first.episode_classes
    if classes is None:
        classes = second.episode_classes
    return PairedComparison(
        difference=float(np.mean(differences)),
        half_width=over_episode_draws(differences),
        over_test_classes=over_test_classes(
            differences, classes, first.class_clusters, bounds=(-1.0, 1.0)
        ),
        episodes=len(differences),
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
