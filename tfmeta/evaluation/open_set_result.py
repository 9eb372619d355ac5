"""What an open-set evaluation found."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfmeta.evaluation.class_interval import ClassInterval, over_test_classes
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.evaluation.kept import check_ids
from tfmeta.evaluation.participants import padded_rows, rows_of
from tfmeta.evaluation.pretraining import Pretraining, setting
from tfmeta.evaluation.threshold import Threshold
from tfmeta.finite_checks import check_finite, check_some
from tfmeta.printable import one_line

_FIGURES = (
    "accuracies",
    "auroc",
    "open_accuracies",
    "known_accepted",
    "unknown_rejected",
)


@dataclasses.dataclass(frozen=True, eq=False)
class OpenSetResult:
    """How well known classes are told from each other and from unknown ones.

    All figures are float64 `(episodes,)`, from 0 to 1. `accuracies` and `auroc` are
    those of Liu et al. (2020), *Few-Shot Open-Set Recognition Using Meta-Learning*.
    `open_accuracies` puts both together at one threshold.

    Attributes:
        protocol: What was measured; `ways` are the known ones.
        transductive: Whether a query's prediction depended on other queries.
        threshold: Fitted on validation episodes.
        accuracies: Of the queries of known classes, among the known classes, as
            if there were no others.
        auroc: Area under the ROC curve of the score, known against unknown.
        open_accuracies: Share of all queries that are answered rightly: those of
            known classes accepted and given their class, those of unknown classes
            rejected. Both kinds have the weight of their number.
        known_accepted: Share of known queries that reach the threshold: the recall
            that it really has on these classes.
        unknown_rejected: Share of unknown queries that do not.
        class_names: The test classes.
        class_clusters: Per class, the class it was made from.
        episode_classes: Int32 `(episodes, ways)`: the classes of each episode, known
            ones first; -1 where padded. A result that a former version kept has
            none of the last four.
        pretraining: What the learner's encoders were pre-trained on, and whether test
            classes were in it; `None` for nothing.
    """

    protocol: dict[str, Any]
    transductive: bool
    threshold: Threshold
    accuracies: np.ndarray
    auroc: np.ndarray
    open_accuracies: np.ndarray
    known_accepted: np.ndarray
    unknown_rejected: np.ndarray
    class_names: tuple[str, ...] = ()
    class_clusters: tuple[str, ...] = ()
    episode_classes: np.ndarray | None = None
    pretraining: Pretraining | None = None

    def over_test_classes(self, figure: str) -> ClassInterval:
        """95 % interval of the mean of a figure over test classes and images.

        A class counts in each of its roles: as a known one, as an unknown one, and
        as a competitor of the others.

        Args:
            figure: Name of one of the figures, such as `"auroc"`.
        """
        return over_test_classes(
            getattr(self, figure), self.episode_classes, self.class_clusters
        )

    def __post_init__(self) -> None:
        for name in _FIGURES:
            check_finite(name, getattr(self, name))
            check_some(name, getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values with every per-episode result."""
        figures = {name: getattr(self, name) for name in _FIGURES}
        return {
            "protocol": self.protocol,
            "transductive": self.transductive,
            "pretraining": self.pretraining and self.pretraining.to_json(),
            "threshold": self.threshold.to_json(),
            "figures": {
                name: {
                    "mean": float(np.mean(values)),
                    "over_episode_draws": over_episode_draws(values),
                    "over_test_classes": self.over_test_classes(name).to_json(),
                    "episodes": values.tolist(),
                }
                for name, values in figures.items()
            },
            "classes": [
                {"name": name, "made_from": cluster}
                for name, cluster in zip(
                    self.class_names, self.class_clusters, strict=True
                )
            ],
            "episode_classes": rows_of(self.episode_classes),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> OpenSetResult:
        """The result of a `to_json`."""
        figures, classes = values["figures"], values.get("classes", [])
        read = cls(
            protocol=values["protocol"],
            transductive=values["transductive"],
            threshold=Threshold.from_json(values["threshold"]),
            **{
                name: np.array(figures[name]["episodes"], np.float64)
                for name in _FIGURES
            },
            class_names=tuple(c["name"] for c in classes),
            class_clusters=tuple(c["made_from"] for c in classes),
            episode_classes=padded_rows(values.get("episode_classes")),
            pretraining=Pretraining.from_json(values.get("pretraining")),
        )
        check_ids(read.episode_classes, len(read.class_names), len(read.auroc))
        return read

    def __str__(self) -> str:
        p, t = self.protocol, self.threshold
        kind = setting(self.transductive, self.pretraining)
        recall = f"{100 * t.recall:g} %"

        rows = (
            (
                "known classes alone",
                "accuracies",
                "accuracy among the known",
            ),
            ("AUROC", "auroc", "known against unknown; 0.5 is chance"),
            (
                f"accuracy at {recall} recall",
                "open_accuracies",
                "known accepted and right, unknown rejected",
            ),
            (
                "known accepted",
                "known_accepted",
                f"the threshold accepts {recall} of those of validation classes",
            ),
            ("unknown rejected", "unknown_rejected", 'answered by "none of these"'),
        )
        lines: list[str] = []
        reasons: dict[str, None] = {}
        for title, figure, what in rows:
            form, scale, unit = ("{:.2f}", 100.0, " %")
            if figure == "auroc":
                form, scale, unit = ("{:.4f}", 1.0, "")
            values, over_classes = getattr(self, figure), self.over_test_classes(figure)
            mean, half_width = np.mean(values), over_episode_draws(values)
            shown = " ± ".join(form.format(scale * x) for x in (mean, half_width))
            shown += f"{unit}, {over_classes.text(form, scale=scale)}"
            lines.append(f"  {title:25} {shown:32}  ({what})")
            if over_classes.reason is not None:
                reasons[over_classes.reason] = None
        return "\n".join(
            [
                f"{p['ways']}-way {p['shots']}-shot with {p['unknown_ways']} unknown "
                f"classes on {one_line(p['table'])}, {p['queries']} queries a class, "
                f"{kind}",
                *lines,
                f"  ± is 95 % over episode draws ({p['episodes']:,} episodes, seed "
                f"{p['seed']}), the range behind it 95 % over test classes.",
                *(f"  – is no interval over test classes: {r}." for r in reasons),
                f"  The threshold is a {t.score} of {t.value:.4g}, fitted on "
                f"{t.protocol['episodes']:,} episodes of the validation classes.",
            ]
        )
