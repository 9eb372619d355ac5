"""The meta-test protocol: fixed episodes of classes that training never saw."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tfmeta.episodes import Episodes
from tfmeta.episodes.task_sequence import (
    TaskSequence,
    check_task_sequence,
    classes_of,
)
from tfmeta.evaluation.checks import check_num_episodes, check_unseen
from tfmeta.evaluation.encoding_plan import EncodingPlan
from tfmeta.evaluation.fingerprint import fingerprint
from tfmeta.evaluation.pretraining import Pretraining
from tfmeta.evaluation.progress import Progress
from tfmeta.evaluation.result import EvaluationResult
from tfmeta.evaluation.tally import AnswerTally, ErrorTally, Tally
from tfmeta.evaluation.transduction import Transduction, unequal_episodes
from tfmeta.learners import FewShotLearner


def evaluate(
    learner: FewShotLearner,
    episodes: TaskSequence,
    *,
    num_episodes: int = 1000,
    seen_classes: Iterable[str] | None = None,
    encode_once: bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvaluationResult:
    """Measures a learner on fixed episodes.

    Args:
        learner: The learner.
        episodes: Where the test episodes come from: `Episodes`, `Mixture`,
            `Sinusoids`, or any `tfmeta.episodes.TaskSequence`. The same at every
            call.
        num_episodes: Number of episodes, at least 600.
        seen_classes: Origins (`ClassTable.origins`) of every class that
            training and validation saw. Where the episodes have classes, no figure
            is reported when it is `None` or shares a class with them.
        encode_once: Whether to encode each example once and let the episodes
            index into the embeddings, the same figure within rounding. Only for
            learners with `independent_embeddings`, on `Episodes` without
            augmentation. By default where it is less work.
        cache_dir: Where features of a frozen encoder are kept,
            `tfmeta.features.features_dir()`: then each example is encoded once for
            all evaluations of all learners behind it, on `Episodes` without
            augmentation. `None` to keep none.
        on_progress: Called with the number of pieces of work done, and of all.

    Returns:
        The result: accuracies of the episodes, for regression their mean squared
        errors, and figures per class where the episodes have classes; for `Episodes`
        of two ways with the area under the ROC curve of each, for a transductive
        learner with what belongs beside its figure (`Transduction`), and for a
        pre-trained encoder with what it was trained on (`Pretraining`).

    Raises:
        TypeError: When `episodes` is no `TaskSequence`.
        ValueError: When test classes were seen or it is not known, when there
            are too few episodes, when they are of another task than the learner, or
            when `encode_once` cannot be done.

    Example:

    ```python
    test = Episodes(load("glyphs", split="test"), ways=5, tasks=16)
    seen = {*train_table.origins, *validation_table.origins}
    print(evaluate(learner, test, seen_classes=seen))
    ```
    """
    check_task_sequence(episodes)
    check_num_episodes(num_episodes)
    check_unseen(episodes, seen_classes)
    classes = classes_of(episodes)
    plan = EncodingPlan.of(
        learner,
        episodes,
        num_episodes=num_episodes,
        encode_once=encode_once,
        cache_dir=cache_dir,
    )
    unequal = unequal_episodes(episodes) if learner.transductive else None

    steps = -(-num_episodes // episodes.tasks)
    work = steps if unequal is None else 2 * steps
    progress = Progress(on_progress, work + plan.work)
    predictor = plan.predictor(progress)

    def tally(drawn: TaskSequence, *, alone: bool) -> tuple[Tally, np.ndarray | None]:
        added = _make_tally(learner, drawn, None if classes is None else classes.names)
        participants: list[np.ndarray] = []
        for batch in predictor.batches(drawn, num_episodes, progress, alone=alone):
            added.add(batch)
            if batch.participants is not None:
                participants.append(batch.participants)
        return added, np.concatenate(participants) if participants else None

    found, participants = tally(episodes, alone=learner.transductive)
    transduction = None
    if learner.transductive:
        transduction = Transduction(
            alone=found.per_episode_alone,
            unequal=None
            if unequal is None
            else tally(unequal, alone=False)[0].per_episode,
            unequal_queries=0 if unequal is None else unequal.queries,
        )
    return EvaluationResult(
        protocol=evaluation_protocol(episodes, num_episodes),
        transductive=learner.transductive,
        class_names=() if classes is None else classes.names,
        class_clusters=() if classes is None else classes.origins,
        episode_classes=participants,
        transduction=transduction,
        pretraining=Pretraining.of(learner, () if classes is None else classes.tables),
        **found.found(),
    )


def _make_tally(
    learner: FewShotLearner, episodes: TaskSequence, class_names: tuple[str, ...] | None
) -> Tally:
    if learner.task == "regression":
        return ErrorTally()
    # With proportions of its own a task may have queries of one way alone.
    both = isinstance(episodes, Episodes) and (
        episodes.ways == 2 and episodes.query_dirichlet is None
    )
    return AnswerTally(None if class_names is None else len(class_names), two_ways=both)


def evaluation_protocol(episodes: TaskSequence, num_episodes: int) -> dict[str, Any]:
    """What fixes a figure, in plain values: the data and the episodes."""
    classes = classes_of(episodes)
    tables = () if classes is None else classes.tables
    data: dict[str, Any] = {}
    if len(tables) == 1:
        data = {"table": tables[0].name, "fingerprint": fingerprint(tables[0])}
    elif tables:
        data = {"fingerprints": [fingerprint(table) for table in tables]}
    if not isinstance(episodes, Episodes):
        data = {"sequence": type(episodes).__name__, **data, "tasks": episodes.tasks}
    return {**data, **episodes.describe(), "episodes": num_episodes}
