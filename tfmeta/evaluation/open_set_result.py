"""What an open-set evaluation found."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.evaluation.threshold import Threshold
from tfmeta.finite import check_finite

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
    """

    protocol: dict[str, Any]
    transductive: bool
    threshold: Threshold
    accuracies: np.ndarray
    auroc: np.ndarray
    open_accuracies: np.ndarray
    known_accepted: np.ndarray
    unknown_rejected: np.ndarray

    def __post_init__(self) -> None:
        for name in _FIGURES:
            check_finite(name, getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values with every per-episode result."""
        figures = {name: getattr(self, name) for name in _FIGURES}
        return {
            "protocol": self.protocol,
            "transductive": self.transductive,
            "threshold": self.threshold.to_json(),
            "figures": {
                name: {
                    "mean": float(np.mean(values)),
                    "over_episode_draws": over_episode_draws(values),
                    "episodes": values.tolist(),
                }
                for name, values in figures.items()
            },
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> OpenSetResult:
        """The result of a `to_json`."""
        figures = values["figures"]
        return cls(
            protocol=values["protocol"],
            transductive=values["transductive"],
            threshold=Threshold.from_json(values["threshold"]),
            **{
                name: np.array(figures[name]["episodes"], np.float64)
                for name in _FIGURES
            },
        )

    def __str__(self) -> str:
        p, t = self.protocol, self.threshold
        kind = "transductive" if self.transductive else "inductive"
        recall = f"{100 * t.recall:g} %"

        def percent(values: np.ndarray) -> str:
            half_width = over_episode_draws(values)
            return f"{100 * np.mean(values):.2f} ± {100 * half_width:.2f} %"

        area = f"{np.mean(self.auroc):.4f} ± {over_episode_draws(self.auroc):.4f}"
        rows = {
            "known classes alone": (
                percent(self.accuracies),
                "accuracy among the classes of the support",
            ),
            "AUROC": (area, "known against unknown; 0.5 is chance"),
            f"accuracy at {recall} recall": (
                percent(self.open_accuracies),
                "known accepted and right, unknown rejected",
            ),
            "known accepted": (
                percent(self.known_accepted),
                f"the threshold accepts {recall} of those of validation classes",
            ),
            "unknown rejected": (
                percent(self.unknown_rejected),
                'answered by "none of these"',
            ),
        }
        return "\n".join(
            [
                f"{p['ways']}-way {p['shots']}-shot with {p['unknown_ways']} unknown "
                f"classes on {p['table']}, {p['queries']} queries a class, {kind}",
                *(
                    f"  {name:25} {figure:15}  ({what})"
                    for name, (figure, what) in rows.items()
                ),
                f"  ± is 95 % over episode draws ({p['episodes']:,} episodes, seed "
                f"{p['seed']}).",
                f"  The threshold is a {t.score} of {t.value:.4g}, fitted on "
                f"{t.protocol['episodes']:,} episodes of the validation classes.",
            ]
        )
