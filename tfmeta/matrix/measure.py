"""Measures all cells of a matrix."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import tensorflow as tf

from tfmeta._version import __version__
from tfmeta.classifying.photographs import features_of_photographs
from tfmeta.datasets import ClassTable
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.episodes import Episodes
from tfmeta.evaluation import EvaluationResult, evaluate
from tfmeta.evaluation.pretraining import Pretraining
from tfmeta.features import features_of
from tfmeta.matrix.domain import Domain
from tfmeta.matrix.kept import (
    MATRIX_FORMAT_VERSION,
    KeptCell,
    KeptDomain,
    KeptInterval,
    KeptMatrix,
    KeptRow,
)
from tfmeta.matrix.plan import MatrixPlan, Pair
from tfmeta.matrix.row import Row
from tfmeta.printable import one_line
from tfmeta.runs.measuring.on_episodes import TASKS
from tfmeta.runs.provenance import git_commit

OnProgress = Callable[[int, int], None]

# What reading and encoding end in where they fail; a bug is to be seen.
_FAILURES = (ValueError, OSError, tf.errors.OpError)


def measure_matrix(
    plan: MatrixPlan,
    *,
    command: str,
    size: int | None,
    most_classes: int,
    images_per_class: int,
    not_here: tuple[str, ...] = (),
    cache_dir: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> KeptMatrix:
    """Measures what a plan holds, each example encoded once for all of its cells.

    What cannot be read on the way leaves its cells without a figure, and the others
    with theirs.

    Args:
        plan: As of `plan_matrix`.
        command: What was typed.
        size: The side that named encoders bring pictures to, `None` for their own.
        most_classes: As of `open_domain`.
        images_per_class: Likewise.
        not_here: Data sets that would have been measured on, were they here.
        cache_dir: Where features are kept, `tfmeta.features.features_dir()`.
        on_progress: Called with the examples and episodes done, and with all.

    Returns:
        The content of a result file.

    Raises:
        ValueError: When no cell got a figure; says why.
    """
    began = time.monotonic()
    progress = _Progress(plan.work, on_progress)
    cells = [
        cell
        for pair in plan.pairs
        for cell in _cells(pair, plan, progress, cache_dir=cache_dir)
    ]
    if all(cell["accuracy"] is None for cell in cells):
        raise ValueError(
            "`matrix` must have a cell with a figure. Received: none. "
            + "; ".join(dict.fromkeys(str(cell["reason"]) for cell in cells))
        )
    tasks = plan.tasks
    return KeptMatrix(
        format_version=MATRIX_FORMAT_VERSION,
        tfmeta=__version__,
        commit=git_commit(),
        command=command,
        seconds=time.monotonic() - began,
        ways=tasks.ways,
        shots=list(tasks.shots),
        episodes=tasks.num_episodes,
        seed=tasks.seed,
        size=size,
        most_classes=most_classes,
        images_per_class=images_per_class,
        not_here=list(not_here),
        encoders=[_row(row) for row in plan.rows],
        domains=[_domain(domain) for domain in plan.domains],
        cells=cells,
    )


class _Progress:
    """Counts examples and episodes over all cells."""

    def __init__(self, of_all: int, report: OnProgress | None) -> None:
        self._of_all, self._report = of_all, report
        self._before = 0

    def part(self, size: int) -> OnProgress:
        """What reports a part of so many pieces, in pieces of its own."""
        before = self._before
        self._before += size

        def report(done: int, of_all: int) -> None:
            if self._report is not None:
                now = before + (size * done // of_all if of_all else size)
                self._report(now, self._of_all)

        return report


def _cells(
    pair: Pair,
    plan: MatrixPlan,
    progress: _Progress,
    *,
    cache_dir: str | os.PathLike[str] | None,
) -> list[KeptCell]:
    reasons = dict(pair.reasons)
    table = None
    on_features = progress.part(pair.num_examples)
    if pair.queries:
        try:
            table = _features(pair, cache_dir, on_features)
        except _FAILURES as error:
            reasons |= dict.fromkeys(pair.queries, _in_words(error))
    found = []
    for shots in plan.tasks.shots:
        on_episodes = progress.part(plan.tasks.num_episodes * (shots in pair.queries))
        result = None
        if table is not None and shots in pair.queries:
            try:
                result = _measured(pair, table, shots, plan, on_episodes)
            except _FAILURES as error:
                reasons[shots] = _in_words(error)
        found.append(_cell(pair, shots, result, reasons.get(shots)))
    return found


def _in_words(error: Exception) -> str:
    return one_line(" ".join(str(error).split())) or type(error).__name__


def _features(
    pair: Pair, cache_dir: str | os.PathLike[str] | None, on_progress: OnProgress
) -> ClassTable:
    assert pair.fitted is not None
    encoder, source = pair.fitted.encoder, pair.domain.source
    if isinstance(source, LabelledFiles):
        features = features_of_photographs(
            encoder, source.files, cache_dir=cache_dir, on_progress=on_progress
        )
    else:
        features = features_of(
            encoder, source.examples, cache_dir=cache_dir, progress=on_progress
        )
    return pair.domain.features(features)


def _measured(
    pair: Pair,
    table: ClassTable,
    shots: int,
    plan: MatrixPlan,
    on_progress: OnProgress,
) -> EvaluationResult:
    episodes = Episodes(
        table,
        ways=plan.tasks.ways,
        shots=shots,
        queries=pair.queries[shots],
        tasks=TASKS,
        seed=plan.tasks.seed,
    )
    return evaluate(
        pair.row.learner,
        episodes,
        num_episodes=plan.tasks.num_episodes,
        seen_classes=pair.row.seen,
        on_progress=on_progress,
    )


def _cell(
    pair: Pair, shots: int, result: EvaluationResult | None, reason: str | None
) -> KeptCell:
    over_classes = None
    if result is not None:
        found = result.over_test_classes
        over_classes = KeptInterval(
            ends=None if found.ends is None else list(found.ends),
            clusters=found.clusters,
            reason=found.reason,
        )
    pretraining = Pretraining.of_data(pair.row.pretrained_on, [pair.domain.cut_from])
    return KeptCell(
        encoder=pair.row.name,
        domain=pair.domain.name,
        shots=shots,
        queries=pair.queries.get(shots),
        accuracy=None if result is None else result.accuracy,
        over_episode_draws=None if result is None else result.over_episode_draws,
        over_test_classes=over_classes,
        seen_in_pretraining=pretraining is not None and pretraining.seen,
        trained_on_other_classes=pair.trained_on_others,
        inverted=pair.fitted is not None and pair.fitted.inverted,
        reason=reason,
    )


def _row(row: Row) -> KeptRow:
    return KeptRow(
        name=row.name,
        kind=row.kind,
        learner=row.learner_title,
        pretrained_on=row.pretrained_on,
        transductive=row.learner.transductive,
        pictures_known=row.pictures_known,
    )


def _domain(domain: Domain) -> KeptDomain:
    return KeptDomain(
        name=domain.name,
        chosen=domain.chosen,
        classes=domain.sizes.num_classes,
        classes_of_all=domain.classes_of_all,
        examples=domain.sizes.num_examples,
        most_of_a_class=max(domain.sizes.sizes),
    )
