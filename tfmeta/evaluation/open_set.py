"""Queries of classes that the support does not have: is it said?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tfmeta.episodes import Episodes
from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.checks import check_num_episodes, check_unseen
from tfmeta.evaluation.encoding_plan import EncodingPlan
from tfmeta.evaluation.evaluate import evaluation_protocol
from tfmeta.evaluation.open_set_result import OpenSetResult
from tfmeta.evaluation.participants import all_participants
from tfmeta.evaluation.pretraining import Pretraining
from tfmeta.evaluation.progress import Progress
from tfmeta.evaluation.threshold import Answers, Threshold
from tfmeta.learners import FewShotLearner


def evaluate_open_set(
    learner: FewShotLearner,
    episodes: Episodes,
    validation: Episodes,
    *,
    unknown_ways: int,
    recall: float = 0.95,
    num_episodes: int = 1000,
    seen_classes: Iterable[str] | None,
    cache_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> OpenSetResult:
    """Measures how well a learner tells known classes from unknown ones.

    The setting of Liu, Kang, Li, Hua and Vasconcelos (2020), *Few-Shot Open-Set
    Recognition Using Meta-Learning*: the last `unknown_ways` of the ways of each
    task have no support, and their queries are to be answered by "none of these".
    A query is accepted as one of a known class when its score reaches a threshold.
    Of two scores, the largest logit and the largest probability, that is taken
    which tells known from unknown better on validation episodes, by AUROC; the
    threshold is fitted there, too, so that `recall` of the queries of known classes
    are accepted. The test episodes decide nothing.

    Args:
        learner: The learner.
        episodes: Test episodes whose `ways` are the known and the unknown ones.
        validation: Validation episodes of as many ways and shots.
        unknown_ways: How many of the ways are unknown.
        recall: Share of known queries to accept, above 0 and below 1.
        num_episodes: Number of episodes, of test and of validation, at least 600.
        seen_classes: Origins of every class that training and validation saw:
            those of the validation episodes, and none of the test episodes.
        cache_dir: As of `evaluate`.
        on_progress: Called with the number of pieces of work done, and of all.

    Returns:
        The result, with the threshold.

    Raises:
        ValueError: When an argument is out of range, when test classes were seen,
            when validation classes were not, or when the episodes do not go
            together.

    Example:

    ```python
    test, validation = (Episodes(t, ways=10, tasks=10) for t in (test_table, val_table))
    print(
        evaluate_open_set(
            learner, test, validation, unknown_ways=5, seen_classes=seen
        )
    )
    ```
    """
    check_num_episodes(num_episodes)
    seen = None if seen_classes is None else frozenset(seen_classes)
    check_unseen(episodes, seen)
    _check_seen(validation, seen or frozenset())
    _check_alike(episodes, validation, unknown_ways)
    if not 0 < recall < 1:
        raise ValueError(
            f"`recall` must be above 0 and below 1. Received: recall={recall}"
        )
    both = (validation, episodes)
    plans = [
        EncodingPlan.of(learner, drawn, num_episodes=num_episodes, cache_dir=cache_dir)
        for drawn in both
    ]
    work = sum(-(-num_episodes // drawn.tasks) for drawn in both)
    progress = Progress(on_progress, work + sum(plan.work for plan in plans))
    known_ways = episodes.ways - unknown_ways

    def answers(drawn: Episodes, plan: EncodingPlan) -> Answers:
        batches = plan.predictor(progress).batches(
            drawn, num_episodes, progress, support_ways=known_ways
        )
        return Answers.of(batches, known_ways)

    threshold = Threshold.fitted(
        answers(validation, plans[0]),
        recall=recall,
        protocol=_protocol(validation, unknown_ways, num_episodes),
    )
    return _result(
        answers(episodes, plans[1]),
        threshold,
        protocol=_protocol(episodes, unknown_ways, num_episodes),
        transductive=learner.transductive,
        class_names=episodes.table.class_names,
        class_clusters=episodes.table.origins,
        episode_classes=all_participants(episodes, num_episodes),
        pretraining=Pretraining.of(learner, [episodes.table]),
    )


def _result(found: Answers, threshold: Threshold, **described: Any) -> OpenSetResult:
    scores = found.scores[threshold.score]
    accepted = threshold.accepts(scores)
    known, right = found.known, found.right
    return OpenSetResult(
        **described,
        threshold=threshold,
        accuracies=_shares(right, known),
        auroc=auroc(scores, known),
        open_accuracies=np.mean(np.where(known, right & accepted, ~accepted), axis=1),
        known_accepted=_shares(accepted, known),
        unknown_rejected=_shares(~accepted, ~known),
    )


def _shares(hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    return (hits & among).sum(axis=1) / among.sum(axis=1)


def _protocol(
    episodes: Episodes, unknown_ways: int, num_episodes: int
) -> dict[str, Any]:
    return {
        **evaluation_protocol(episodes, num_episodes),
        "ways": episodes.ways - unknown_ways,
        "unknown_ways": unknown_ways,
    }


def _check_seen(validation: Episodes, seen_classes: frozenset[str]) -> None:
    unseen = sorted(validation.origins - seen_classes)
    if unseen:
        raise ValueError(
            "`validation` must hold classes of `seen_classes` alone: what a threshold "
            "was fitted on is no longer unseen. Received: "
            f"{len(unseen)} others, among them {', '.join(unseen[:5])}"
        )


def _check_alike(episodes: Episodes, validation: Episodes, unknown_ways: int) -> None:
    if not 1 <= unknown_ways <= episodes.ways - 2:
        raise ValueError(
            "`unknown_ways` must be at least 1 and leave 2 of the ways. Received: "
            f"unknown_ways={unknown_ways}, episodes of {episodes.ways} ways"
        )
    for drawn in (episodes, validation):
        described = drawn.describe()
        if drawn.ways_vary or drawn.unlabelled or drawn.query_dirichlet:
            received = ", ".join(f"{k}={v}" for k, v in described.items())
            raise ValueError(
                "open-set episodes need a fixed number of `ways`, equally many queries "
                f"of each and no `unlabelled` examples. Received: {received}"
            )
    for name in ("ways", "shots"):
        ours, theirs = episodes.describe()[name], validation.describe()[name]
        if ours != theirs:
            raise ValueError(
                f"`{name}` of test and validation episodes must agree. Received: "
                f"{ours} and {theirs}"
            )
