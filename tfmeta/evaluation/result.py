"""What an evaluation found, with its intervals."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfmeta.evaluation.calibration import Reliability
from tfmeta.evaluation.class_interval import (
    NO_CLASSES,
    ClassInterval,
    over_test_classes,
)
from tfmeta.evaluation.confusion import Confusion
from tfmeta.evaluation.figure import ACCURACY, SQUARED_ERROR, Figure
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.evaluation.kept import check_ids
from tfmeta.evaluation.participants import padded_rows, rows_of
from tfmeta.evaluation.pretraining import Pretraining, setting
from tfmeta.evaluation.transduction import Transduction
from tfmeta.finite_checks import check_finite, check_some
from tfmeta.printable import one_line

# What holds the figure of each episode, by the name of the figure.
_PER_EPISODE = {
    ACCURACY.name: "episode_accuracies",
    SQUARED_ERROR.name: "episode_squared_errors",
}


def _no_counts() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluationResult:
    """What a learner reached on fixed test episodes: one figure, `figure.name`.

    Of classification the accuracy, of regression the mean squared error; the mean
    over episodes of either.

    Attributes:
        protocol: What was measured: data set and its fingerprint, ways, shots,
            queries, episodes, seed. Two results compare only when it is equal.
        transductive: Whether a query's prediction depended on other queries.
        episode_accuracies: Float64 `(episodes,)`; `None` for regression.
        class_names: The test classes; empty, as all that is of classes, where the
            tasks have none.
        class_clusters: Per class, the class it was made from.
        class_correct: Int64 `(classes,)`: queries classified correctly; empty for
            regression.
        class_total: Int64 `(classes,)`: queries; empty for regression.
        episode_classes: Int32 `(episodes, ways)`: the classes of each episode, which
            count `class_names`; -1 where padded.
        episode_auroc: Float64 `(episodes,)`: the area under the ROC curve of
            each episode of two ways, `None` for episodes of more.
        reliability: Answers by their probability; every episode counts alike.
        confusion: Wrong answers by class; class ids count `class_names`.
        transduction: What belongs beside the figure of a transductive learner.
        episode_squared_errors: Float64 `(episodes,)`, of regression: the mean squared
            error of each episode.
        pretraining: What the learner's encoders were pre-trained on, and whether test
            classes were in it; `None` for nothing.

    A result that a former version kept may lack all that may be `None`.
    """

    protocol: dict[str, Any]
    transductive: bool
    episode_accuracies: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    class_clusters: tuple[str, ...] = ()
    class_correct: np.ndarray = dataclasses.field(default_factory=_no_counts)
    class_total: np.ndarray = dataclasses.field(default_factory=_no_counts)
    episode_classes: np.ndarray | None = None
    episode_auroc: np.ndarray | None = None
    reliability: Reliability | None = None
    confusion: Confusion | None = None
    transduction: Transduction | None = None
    episode_squared_errors: np.ndarray | None = None
    pretraining: Pretraining | None = None

    def __post_init__(self) -> None:
        kinds = ("episode_accuracies", "episode_squared_errors")
        given = [name for name in kinds if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a result must have one of {' and '.join(kinds)}. Received: "
                f"{' and '.join(given) or 'neither'}"
            )
        for name in (*given, "class_correct", "class_total"):
            check_finite(name, getattr(self, name))
        check_some(given[0], self.per_episode)
        if self.episode_auroc is not None:
            check_finite("episode_auroc", self.episode_auroc)

    @property
    def figure(self) -> Figure:
        """What is measured."""
        return SQUARED_ERROR if self.episode_accuracies is None else ACCURACY

    @property
    def per_episode(self) -> np.ndarray:
        """Float64 `(episodes,)`: the figure of each episode."""
        values = self.episode_accuracies
        if values is None:
            values = self.episode_squared_errors
        assert values is not None
        return values

    @property
    def mean(self) -> float:
        """The figure: the mean over episodes."""
        return float(np.mean(self.per_episode))

    @property
    def accuracy(self) -> float:
        """Mean accuracy over episodes, from 0 to 1.

        Raises:
            ValueError: For regression.
        """
        return self._mean_as(ACCURACY)

    @property
    def mean_squared_error(self) -> float:
        """Mean over episodes of the mean squared error; lower is better.

        Raises:
            ValueError: For classification.
        """
        return self._mean_as(SQUARED_ERROR)

    def _mean_as(self, figure: Figure) -> float:
        if self.figure is not figure:
            raise ValueError(
                f"`{figure.name}` is not the figure of this result. Received: a result "
                f"with `{self.figure.name}`"
            )
        return self.mean

    @property
    def over_episode_draws(self) -> float:
        """Half-width of the 95 % interval over episode draws."""
        return over_episode_draws(self.per_episode)

    @property
    def over_test_classes(self) -> ClassInterval:
        """95 % interval of the figure over test classes and images."""
        return self._over_test_classes(self.per_episode, most=self.figure.most)

    @property
    def chance(self) -> float:
        """Expected accuracy of guessing, from 0 to 1.

        Raises:
            ValueError: Where the protocol does not say how many ways there are.
        """
        ways = self.protocol.get("ways")
        if ways is None:
            raise ValueError(
                "`chance` needs a protocol with `ways`. Received: "
                f"{', '.join(self.protocol)}"
            )
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

    def _over_test_classes(
        self, values: np.ndarray, *, most: float = 1.0
    ) -> ClassInterval:
        if not self.class_names:
            return ClassInterval(None, 0, NO_CLASSES)
        return over_test_classes(
            values, self.episode_classes, self.class_clusters, bounds=(0.0, most)
        )

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
        pairs = zip(self.class_clusters, self.class_total, strict=False)
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
            "pretraining": self.pretraining and self.pretraining.to_json(),
            "figure": self.figure.name,
            self.figure.name: self.mean,
            "over_episode_draws": self.over_episode_draws,
            "over_test_classes": self.over_test_classes.to_json(),
            _PER_EPISODE[self.figure.name]: self.per_episode.tolist(),
            **further,
            "episode_classes": rows_of(self.episode_classes),
            "classes": self._classes_to_json(),
        }

    def _classes_to_json(self) -> list[dict[str, Any]]:
        taken_for = None if self.confusion is None else self.confusion.by_true_class()
        classes = []
        for class_id, name in enumerate(self.class_names):
            values: dict[str, Any] = {
                "name": name,
                "made_from": self.class_clusters[class_id],
            }
            if len(self.class_total):
                values["correct"] = int(self.class_correct[class_id])
                values["total"] = int(self.class_total[class_id])
            if taken_for is not None:
                wrong = taken_for.get(class_id, {})
                values["taken_for"] = {self.class_names[c]: n for c, n in wrong.items()}
            classes.append(values)
        return classes

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EvaluationResult:
        """The result of a `to_json`."""
        classes, areas = values["classes"], values.get("episode_auroc")
        # Former versions measured accuracies alone, and did not say so.
        of_figure = _PER_EPISODE[values.get("figure", ACCURACY.name)]
        per_episode = {of_figure: np.array(values[of_figure], np.float64)}
        reliability = values.get("reliability")
        transduction = values.get("transduction")
        read = cls(
            protocol=values["protocol"],
            transductive=values["transductive"],
            episode_accuracies=per_episode.get("episode_accuracies"),
            class_names=tuple(c["name"] for c in classes),
            class_clusters=tuple(c["made_from"] for c in classes),
            class_correct=_counts(classes, "correct"),
            class_total=_counts(classes, "total"),
            episode_classes=padded_rows(values.get("episode_classes")),
            episode_auroc=None if areas is None else np.array(areas, np.float64),
            reliability=reliability and Reliability.from_json(reliability),
            confusion=_confusion_from_json(classes),
            transduction=transduction and Transduction.from_json(transduction),
            episode_squared_errors=per_episode.get("episode_squared_errors"),
            pretraining=Pretraining.from_json(values.get("pretraining")),
        )
        check_ids(read.episode_classes, len(read.class_names), len(read.per_episode))
        return read

    def __str__(self) -> str:
        return _text(self)


def _counts(classes: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([c[name] for c in classes if name in c], np.int64)


def _confusion_from_json(classes: list[dict[str, Any]]) -> Confusion | None:
    if not classes or not all("taken_for" in values for values in classes):
        return None
    ids = {values["name"]: class_id for class_id, values in enumerate(classes)}
    triples = [
        (class_id, ids[name], count)
        for class_id, values in enumerate(classes)
        for name, count in values["taken_for"].items()
    ]
    columns = np.array(triples, np.int64).reshape(-1, 3).T
    return Confusion(*columns[:, np.lexsort(columns[1::-1])])


def _text(result: EvaluationResult) -> str:
    """The figure with what it is of, its intervals and what belongs beside it."""
    figure, protocol = result.figure, result.protocol
    further = []
    over_classes = result.auroc_over_test_classes
    if over_classes is not None:
        further = [
            f"  AUROC                     {result.auroc:.4f} ± "
            f"{result.auroc_over_episode_draws:.4f}  (mean of the episodes', 95 % "
            "over episode draws)",
            f"    95 % over test classes  {over_classes.line('{:.4f}', scale=1)}",
        ]
    if result.reliability is not None:
        further.append(
            f"  calibration error         {result.expected_calibration_error:.4f}"
            "  (expected, of the probabilities; 0 is best)"
        )
    if result.transduction is not None:
        already = "query_dirichlet" in protocol
        further += result.transduction.lines(figure, unequal_already=already)
    kind = setting(result.transductive, result.pretraining)
    half_width = figure.number(result.over_episode_draws)
    seed = f", seed {protocol['seed']}" if "seed" in protocol else ""
    of_classes = result.over_test_classes.line(figure.signed(""), scale=figure.scale)
    lines = [
        f"{_episodes_in_words(protocol)}, {kind}: "
        f"{figure.title}{figure.number(result.mean)}{figure.unit}",
        f"  95 % over episode draws   ± {half_width}"
        f"  ({protocol['episodes']:,} episodes{seed})",
        f"  95 % over test classes    {of_classes}",
        *further,
    ]
    # The name of a data set may be that of a folder, of any characters.
    return "\n".join(map(one_line, lines))


def _episodes_in_words(protocol: dict[str, Any]) -> str:
    p = protocol
    if not {"ways", "shots", "queries", "table"} <= set(p):
        settings = ", ".join(
            f"{name}={value}"
            for name, value in p.items()
            if isinstance(value, str | int | float)
            and name not in ("sequence", "episodes", "seed")
        )
        return f"{p.get('sequence', 'tasks')}({settings})"
    unequal = ""
    if "query_dirichlet" in p:
        unequal = f" on average, Dirichlet({p['query_dirichlet']:g}) proportions"
    return (
        f"{p['ways']}-way {p['shots']}-shot on {p['table']}, {p['queries']} "
        f"queries a class{unequal}"
    )
