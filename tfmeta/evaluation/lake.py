"""Lake's 20-way one-shot test within an alphabet, where people's error is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.datasets.omniglot.lake_runs import LakeRuns
from tfmeta.evaluation.checks import (
    UnansweredQueries,
    answered_ways,
    check_learner_is_finite,
    present_ways,
)
from tfmeta.evaluation.class_interval import ClassInterval, over_test_classes
from tfmeta.evaluation.intervals import over_trials
from tfmeta.evaluation.pretraining import Pretraining, setting
from tfmeta.learners import FewShotLearner


@dataclasses.dataclass(frozen=True, eq=False)
class LakeResult:
    """What was answered in Lake's test, and how often it was wrong.

    Attributes:
        size: The side of the pictures in pixels.
        transductive: Whether an answer depended on the other queries of its run.
        alphabets: The alphabet of each run.
        labels: Int `(runs, queries)`: the right answers.
        predicted: Int `(runs, queries)`: the answers.
        pretraining: What the learner's encoders were pre-trained on; `None` for
            nothing.
    """

    size: int
    transductive: bool
    alphabets: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    pretraining: Pretraining | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.labels)
        fits = len(shape) == 2 and shape[0] == len(self.alphabets) and 0 not in shape
        if not fits or np.shape(self.predicted) != shape:
            raise ValueError(
                "`labels` and `predicted` must be of shape (runs, queries). Received: "
                f"{shape} and {np.shape(self.predicted)} of {len(self.alphabets)} runs"
            )

    @property
    def protocol(self) -> dict[str, Any]:
        """What was measured, in plain values."""
        return {"test": "lake", "size": self.size}

    @property
    def wrong(self) -> np.ndarray:
        """Bool `(runs, queries)`: whether an answer is wrong."""
        return self.predicted != self.labels

    @property
    def run_errors(self) -> np.ndarray:
        """Int `(runs,)`: the number of wrong answers in each run."""
        return self.wrong.sum(axis=1)

    @property
    def error(self) -> float:
        """The share of wrong answers, from 0 to 1."""
        return float(self.wrong.mean())

    @property
    def over_trials(self) -> tuple[float, float]:
        """95 % interval over trials: other drawings of these characters."""
        return over_trials(int(self.wrong.sum()), self.wrong.size)

    @property
    def over_alphabets(self) -> ClassInterval:
        """95 % interval of the error over alphabets, with all their characters.

        Not over single runs: two runs share their alphabet and its characters.
        """
        names, numbers = np.unique(self.alphabets, return_inverse=True)
        errors = self.wrong.mean(axis=1)
        return over_test_classes(
            errors, numbers[:, None], names.tolist(), unit="alphabets"
        )

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values with every answer."""
        return {
            **self.protocol,
            "transductive": self.transductive,
            "pretraining": self.pretraining and self.pretraining.to_json(),
            "error": self.error,
            "over_trials": list(self.over_trials),
            "over_alphabets": self.over_alphabets.to_json(),
            "runs": [
                {
                    "alphabet": alphabet,
                    "errors": int(errors),
                    "labels": labels.tolist(),
                    "predicted": predicted.tolist(),
                }
                for alphabet, errors, labels, predicted in zip(
                    self.alphabets,
                    self.run_errors,
                    self.labels,
                    self.predicted,
                    strict=True,
                )
            ],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LakeResult:
        """The result of a `to_json`."""
        runs = values["runs"]
        return cls(
            size=values["size"],
            transductive=values["transductive"],
            alphabets=tuple(run["alphabet"] for run in runs),
            labels=np.array([run["labels"] for run in runs], np.int32),
            predicted=np.array([run["predicted"] for run in runs], np.int32),
            pretraining=Pretraining.from_json(values.get("pretraining")),
        )

    def __str__(self) -> str:
        kind = setting(self.transductive, self.pretraining)
        trials = [100 * end for end in self.over_trials]
        return "\n".join(
            [
                f"Lake's {self.labels.shape[1]}-way 1-shot test within an alphabet, "
                f"{self.size}x{self.size}, {kind}: {100 * self.error:.1f} % error "
                f"({self.wrong.sum()} of {self.wrong.size})",
                f"  95 % over trials       {trials[0]:.1f} to {trials[1]:.1f}",
                f"  95 % over alphabets    {self.over_alphabets.line('{:.1f}')}",
                f"  wrong in each run      {' '.join(map(str, self.run_errors))}",
            ]
        )


def evaluate_lake(
    learner: FewShotLearner,
    runs: LakeRuns,
    *,
    seen_classes: Iterable[str] | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> LakeResult:
    """Measures a learner by Lake's 20-way one-shot test within an alphabet.

    In each of 20 runs, the learner sees one drawing of each of 20 characters of
    an alphabet, and names 20 drawings by other people. The answer to each depends
    on no other drawing, unless the learner is transductive: then it sees the 20
    of a run together, and the result says so.

    Args:
        learner: The learner; it takes pictures of the size of the runs'.
        runs: What `load_lake_runs` returned.
        seen_classes: Origins (`ClassTable.origins`) of every class that
            training and validation saw. No figure is reported when it is
            `None` or holds a character of the test.
        on_progress: Called with the number of runs done, and of all.

    Returns:
        The result, with every answer.

    Raises:
        ValueError: When characters of the test were seen or it is not known, or
            when the learner takes other pictures.

    Example:

    ```python
    seen = {*train_table.origins, *validation_table.origins}
    print(evaluate_lake(learner, load_lake_runs(), seen_classes=seen))
    ```

    Reference: B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum (2015),
    *Human-level concept learning through probabilistic program induction*,
    Science 350(6266).
    """
    _check_unseen(runs, seen_classes)
    expected, shape = learner.encoder.input_shape[1:], runs.support.shape[2:]
    fits = zip(expected, shape, strict=False)
    if len(expected) != len(shape) or any(e not in (None, s) for e, s in fits):
        raise ValueError(
            "`learner` must take examples of the shape of the runs' pictures, "
            f"{shape}. Received: one that takes {tuple(expected)}"
        )
    num_runs, ways = runs.labels.shape
    support_labels = tf.eye(ways, batch_shape=[1])

    @tf.function
    def predict(support: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        inputs = {"support": support, "support_labels": support_labels, "query": query}
        return answered_ways(learner.episode_logits(inputs), present_ways(inputs))[0]

    # One run at a time: at full size, all at once would not fit into memory.
    predicted = np.zeros_like(runs.labels)
    check_learner_is_finite(learner)
    for run in range(num_runs):
        predicted[run] = predict(
            tf.constant(runs.support[None, run]), tf.constant(runs.query[None, run])
        )
        if on_progress is not None:
            on_progress(run + 1, num_runs)
    unanswered = UnansweredQueries(learner)
    unanswered.add(predicted)
    unanswered.check()
    return LakeResult(
        size=runs.size,
        transductive=learner.transductive,
        alphabets=runs.alphabets,
        labels=runs.labels,
        predicted=predicted,
        pretraining=Pretraining.of(learner),
    )


def _check_unseen(runs: LakeRuns, seen_classes: Iterable[str] | None) -> None:
    if seen_classes is None:
        raise ValueError(
            "`seen_classes` must name the classes that training and validation saw, "
            "or be empty for a learner that was trained on none; otherwise no figure "
            "can be called a test figure. Received: seen_classes=None"
        )
    shared = sorted(runs.origins & set(seen_classes))
    if shared:
        raise ValueError(
            "Lake's test must hold no character that training or validation saw: "
            "train with `--protocol lake`, whose characters are none of the test's. "
            f"Received: a learner that saw {len(shared)} of the {len(runs.origins)}, "
            f"among them {', '.join(shared[:5])}"
        )
