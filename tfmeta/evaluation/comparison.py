"""Two learners on identical episodes."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.evaluation.class_interval import ClassInterval, over_test_classes
from tfmeta.evaluation.figure import ACCURACY, Figure
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.evaluation.result import EvaluationResult


@dataclasses.dataclass(frozen=True)
class PairedComparison:
    """Difference of two learners on identical episodes.

    Attributes:
        difference: Mean of the first minus the second: of accuracies, from -1 to 1,
            or of mean squared errors.
        half_width: Of the 95 % interval over episode draws.
        over_test_classes: 95 % interval of the difference over test classes and
            their images, of the differences of the episodes.
        episodes: Number of episodes.
    """

    difference: float
    half_width: float
    over_test_classes: ClassInterval | None
    episodes: int
    figure: Figure = ACCURACY

    @property
    def better(self) -> str | None:
        """`"first"` or `"second"`, or `None` where that is not shown.

        It is when both intervals exclude 0: then neither other episodes nor
        other classes of the kind would be expected to turn the difference round.
        Where there is no interval over test classes, nothing is shown; tasks without
        classes are drawn anew each, and the first interval is enough.
        """
        if abs(self.difference) <= self.half_width:
            return None
        of_classes = self.over_test_classes
        if of_classes is not None and not of_classes.excludes(0.0):
            return None
        is_higher = self.difference > 0
        return "first" if is_higher == self.figure.higher_is_better else "second"

    def __str__(self) -> str:
        figure = self.figure
        lines = [
            f"difference {figure.number(self.difference, sign='+')}"
            f"{figure.difference_unit}",
            f"  95 % over episode draws   ± {figure.number(self.half_width)}"
            f"  ({self.episodes:,} identical episodes)",
        ]
        if self.over_test_classes is not None:
            of_classes = self.over_test_classes.line(
                figure.signed("+"), scale=figure.scale
            )
            lines.append(f"  95 % over test classes    {of_classes}")
        return "\n".join(lines)


def compare(first: EvaluationResult, second: EvaluationResult) -> PairedComparison:
    """Compares two learners by paired differences on identical episodes.

    Overlap of two separate intervals is no test: most of what varies between
    episodes, and between classes, is common to both learners and cancels in the
    difference. What is compared is the mean over episodes: of accuracies, or of the
    mean squared errors of regression.

    Raises:
        ValueError: When the two were not measured on the same episodes, or by another
            figure.

    Example:

    ```python
    print(tfmeta.evaluation.compare(result_a, result_b))
    ```
    """
    check_same_protocol(first, second)
    differences = first.per_episode - second.per_episode
    # Of the same episodes; one of the two may have been kept without them.
    classes = first.episode_classes
    if classes is None:
        classes = second.episode_classes
    of_classes = None
    if first.class_names:
        most = first.figure.most
        of_classes = over_test_classes(
            differences, classes, first.class_clusters, bounds=(-most, most)
        )
    return PairedComparison(
        difference=float(np.mean(differences)),
        half_width=over_episode_draws(differences),
        over_test_classes=of_classes,
        episodes=len(differences),
        figure=first.figure,
    )


def check_same_protocol(first: EvaluationResult, second: EvaluationResult) -> None:
    """Checks that two results are of the same episodes and the same figure.

    Raises:
        ValueError: When they are not; names what differs.
    """
    if first.figure is not second.figure:
        raise ValueError(
            "results compare by one figure only. Received: "
            f"{first.figure.name} and {second.figure.name}"
        )
    for name in sorted({*first.protocol, *second.protocol}):
        ours, theirs = first.protocol.get(name), second.protocol.get(name)
        if ours != theirs:
            raise ValueError(
                f"results compare on identical episodes only; `{name}` must agree. "
                f"Received: {ours!r} and {theirs!r}"
            )
