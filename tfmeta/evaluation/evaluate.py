"""The meta-test protocol: fixed episodes of classes that training never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tfmeta.episodes import Episodes
from tfmeta.evaluation.checks import check_num_episodes, check_unseen
from tfmeta.evaluation.encoding import (
    choose_encode_once,
    encode_table,
    encoding_work,
)
from tfmeta.evaluation.fingerprint import fingerprint
from tfmeta.evaluation.participants import all_participants
from tfmeta.evaluation.prediction import EpisodePredictor
from tfmeta.evaluation.progress import Progress
from tfmeta.evaluation.result import EvaluationResult
from tfmeta.evaluation.tally import Tally
from tfmeta.evaluation.transduction import Transduction, unequal_episodes
from tfmeta.learners import FewShotLearner


def evaluate(
    learner: FewShotLearner,
    episodes: Episodes,
    *,
    num_episodes: int = 1000,
    seen_classes: Iterable[str] | None,
    encode_once: bool | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvaluationResult:
    """Measures a learner on fixed episodes.

    Args:
        learner: The learner.
        episodes: Where the test episodes come from; its seed fixes them.
        num_episodes: Number of episodes, at least 600.
        seen_classes: Origins (`ClassTable.origins`) of every class that
            training and validation saw. No figure is reported when it is
            `None` or shares a class with the episodes.
        encode_once: Whether to encode each example once and let the episodes
            index into the embeddings, the same figure within rounding. Only for
            learners with `independent_embeddings`, on `Episodes` without
            augmentation. By default where it is less work.
        on_progress: Called with the number of pieces of work done, and of all.

    Returns:
        The result, with per-episode and per-class figures; for episodes of two
        ways with the area under the ROC curve of each, for a transductive learner
        with what belongs beside its figure (`Transduction`).

    Raises:
        ValueError: When test classes were seen or it is not known, when there
            are too few episodes, or when `encode_once` cannot be done.

    Example:

    ```python
    test = Episodes(load("glyphs", split="test"), ways=5, tasks=16)
    seen = {*train_table.origins, *validation_table.origins}
    print(evaluate(learner, test, seen_classes=seen))
    ```
    """
    check_num_episodes(num_episodes)
    check_unseen(episodes, seen_classes)
    table = episodes.table
    once = choose_encode_once(
        learner, episodes, num_episodes=num_episodes, encode_once=encode_once
    )
    unequal = unequal_episodes(episodes) if learner.transductive else None

    steps = -(-num_episodes // episodes.tasks)
    work = steps if unequal is None else 2 * steps
    progress = Progress(on_progress, work + (encoding_work(table) if once else 0))
    embeddings = encode_table(learner, table, progress) if once else None
    predictor = EpisodePredictor(learner, embeddings)

    def tally(drawn: Episodes, *, alone: bool) -> Tally:
        # With proportions of its own a task may have queries of one way alone.
        both = drawn.ways == 2 and drawn.query_dirichlet is None
        added = Tally(table.num_classes, two_ways=both)
        for batch in predictor.batches(drawn, num_episodes, progress, alone=alone):
            added.add(batch)
        return added

    found = tally(episodes, alone=learner.transductive)
    transduction = None
    if learner.transductive:
        transduction = Transduction(
            alone=found.episode_accuracies_alone,
            unequal=None
            if unequal is None
            else tally(unequal, alone=False).episode_accuracies,
            unequal_queries=0 if unequal is None else unequal.queries,
        )
    return EvaluationResult(
        protocol=evaluation_protocol(episodes, num_episodes),
        transductive=learner.transductive,
        episode_accuracies=found.episode_accuracies,
        class_names=table.class_names,
        class_clusters=table.origins,
        class_correct=found.class_correct,
        class_total=found.class_total,
        episode_classes=all_participants(episodes, num_episodes),
        episode_auroc=found.episode_auroc,
        reliability=found.reliability,
        confusion=found.confusion,
        transduction=transduction,
    )


def evaluation_protocol(episodes: Episodes, num_episodes: int) -> dict[str, Any]:
    """What fixes a figure, in plain values: the data and the episodes."""
    return {
        "table": episodes.table.name,
        "fingerprint": fingerprint(episodes.table),
        **episodes.describe(),
        "episodes": num_episodes,
    }
