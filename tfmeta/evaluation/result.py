"""What an evaluation found, with its intervals."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfmeta.evaluation.calibration import Reliability
from tfmeta.evaluation.class_interval import ClassInterval, over_test_classes
from tfmeta.evaluation.confusion import Confusion
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.evaluation.participants import padded_rows, rows_of
from tfmeta.evaluation.transduction import Transduction
from tfmeta.finite_checks import check_finite, check_some


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
        episode_classes: Int32 `(episodes, ways)`: the classes of each episode, which
            count `class_names`; -1 where padded.
        episode_auroc: Float64 `(episodes,)`: the area under the ROC curve of
            each episode of two ways, `None` for episodes of more.
        reliability: Answers by their probability; every episode counts alike.
        confusion: Wrong answers by class; class ids count `class_names`.
        transduction: What belongs beside the figure of a transductive learner.

    A result that a former version kept may lack all that may be `None`.
    """

    protocol: dict[str, Any]
    transductive: bool
    episode_accuracies: np.ndarray
    class_names: tuple[str, ...]
    class_clusters: tuple[str, ...]
    class_correct: np.ndarray
    class_total: np.ndarray
    episode_classes: np.ndarray | None = None
    episode_auroc: np.ndarray | None = None
    reliability: Reliability | None = None
    confusion: Confusion | None = None
    transduction: Transduction | None = None

    def __post_init__(self) -> None:
        for name in ("episode_accuracies", "class_correct", "class_total"):
            check_finite(name, getattr(self, name))
        check_some("episode_accuracies", self.episode_accuracies)
        if self.episode_auroc is not None:
            check_finite("episode_auroc", self.episode_auroc)

    @property
    def accuracy(self) -> float:
        """Mean accuracy over episodes, from 0 to 1."""
        return float(np.mean(self.episode_accuracies))

    @property
    def over_episode_draws(self) -> float:
        """Half-width of the 95 % interval over episode draws."""
        return over_episode_draws(self.episode_accuracies)

    @property
    def over_test_classes(self) -> ClassInterval:
        """95 % interval of `accuracy` over test classes and images."""
        return self._over_test_classes(self.episode_accuracies)

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
    def auroc_over_test_classes(self) -> ClassInterval | None:
        """95 % interval of `auroc` over test classes and images."""
        if self.episode_auroc is None:
            return None
        return self._over_test_classes(self.episode_auroc)

    def _over_test_classes(self, values: np.ndarray) -> ClassInterval:
        return over_test_classes(values, self.episode_classes, self.class_clusters)

    @property
    def class_recall(self) -> np.ndarray:
        """Float64 `(classes,)`: share of right answers, NaN without queries."""
        asked = self.class_total > 0
        return np.where(
            asked, self.class_correct / np.maximum(self.class_total, 1), np.nan
        )

    @property
    def expected_calibration_error(self) -> float | None:
        """Mean distance of probability and accuracy; see `Reliability`."""
        if self.reliability is None:
            return None
        return self.reliability.expected_calibration_error

    @property
    def num_clusters(self) -> int:
        """Number of test classes with queries, rotations folded."""
        pairs = zip(self.class_clusters, self.class_total, strict=True)
        return len({cluster for cluster, total in pairs if total})

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values with every per-episode and per-class result."""
        further: dict[str, Any] = {}
        if self.episode_auroc is not None:
            further = {
                "auroc": self.auroc,
                "auroc_over_episode_draws": self.auroc_over_episode_draws,
                "auroc_over_test_classes": self._over_test_classes(
                    self.episode_auroc
                ).to_json(),
                "episode_auroc": self.episode_auroc.tolist(),
            }
        if self.reliability is not None:
            further["expected_calibration_error"] = self.expected_calibration_error
            further["reliability"] = self.reliability.to_json()
        if self.transduction is not None:
            further["transduction"] = self.transduction.to_json()
        return {
            "protocol": self.protocol,
            "transductive": self.transductive,
            "accuracy": self.accuracy,
            "over_episode_draws": self.over_episode_draws,
            "over_test_classes": self.over_test_classes.to_json(),
            "episode_accuracies": self.episode_accuracies.tolist(),
            **further,
            "episode_classes": rows_of(self.episode_classes),
            "classes": self._classes_to_json(),
        }

    def _classes_to_json(self) -> list[dict[str, Any]]:
        taken_for = None if self.confusion is None else self.confusion.by_true_class()
        classes = []
        for class_id, name in enumerate(self.class_names):
            values = {
                "name": name,
                "made_from": self.class_clusters[class_id],
                "correct": int(self.class_correct[class_id]),
                "total": int(self.class_total[class_id]),
            }
            if taken_for is not None:
                wrong = taken_for.get(class_id, {})
                values["taken_for"] = {self.class_names[c]: n for c, n in wrong.items()}
            classes.append(values)
        return classes

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EvaluationResult:
        """The result of a `to_json`."""
        classes, areas = values["classes"], values.get("episode_auroc")
        reliability = values.get("reliability")
        transduction = values.get("transduction")
        return cls(
            protocol=values["protocol"],
            transductive=values["transductive"],
            episode_accuracies=np.array(values["episode_accuracies"], np.float64),
            class_names=tuple(c["name"] for c in classes),
            class_clusters=tuple(c["made_from"] for c in classes),
            class_correct=np.array([c["correct"] for c in classes], np.int64),
            class_total=np.array([c["total"] for c in classes], np.int64),
            episode_classes=padded_rows(values.get("episode_classes")),
            episode_auroc=None if areas is None else np.array(areas, np.float64),
            reliability=reliability and Reliability.from_json(reliability),
            confusion=_confusion_from_json(classes),
            transduction=transduction and Transduction.from_json(transduction),
        )

    def __str__(self) -> str:
        p = self.protocol
        kind = "transductive" if self.transductive else "inductive"
        unequal = ""
        if "query_dirichlet" in p:
            unequal = f" on average, Dirichlet({p['query_dirichlet']:g}) proportions"
        further = []
        over_classes = self.auroc_over_test_classes
        if over_classes is not None:
            further = [
                f"  AUROC                     {self.auroc:.4f} ± "
                f"{self.auroc_over_episode_draws:.4f}  (mean of the episodes', 95 % "
                "over episode draws)",
                f"    95 % over test classes  {over_classes.line('{:.4f}', scale=1)}",
            ]
        if self.reliability is not None:
            further.append(
                f"  calibration error         {self.expected_calibration_error:.4f}"
                "  (expected, of the probabilities; 0 is best)"
            )
        if self.transduction is not None:
            further += self.transduction.lines(unequal_already=bool(unequal))
        return "\n".join(
            [
                f"{p['ways']}-way {p['shots']}-shot on {p['table']}, {p['queries']} "
                f"queries a class{unequal}, {kind}: {100 * self.accuracy:.2f} %",
                f"  95 % over episode draws   ± {100 * self.over_episode_draws:.2f}"
                f"  ({p['episodes']:,} episodes, seed {p['seed']})",
                f"  95 % over test classes    {self.over_test_classes.line()}",
                *further,
            ]
        )


def _confusion_from_json(classes: list[dict[str, Any]]) -> Confusion | None:
    if not all("taken_for" in values for values in classes):
        return None
    ids = {values["name"]: class_id for class_id, values in enumerate(classes)}
    triples = [
        (class_id, ids[name], count)
        for class_id, values in enumerate(classes)
        for name, count in values["taken_for"].items()
    ]
    columns = np.array(triples, np.int64).reshape(-1, 3).T
    return Confusion(*columns[:, np.lexsort(columns[1::-1])])
