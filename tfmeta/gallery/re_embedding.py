"""Another learner for a gallery, and the embeddings of its encoder with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.durable import remove
from tfmeta.evaluation.threshold import Threshold
from tfmeta.gallery.examples import ExampleEncoder, example_of
from tfmeta.gallery.facts import CrossValidation, Facts
from tfmeta.gallery.kept_learner import (
    check_learner,
    facts_of,
    load_learner,
    save_learner,
)
from tfmeta.gallery.records import Change, FactsChangedError, Original
from tfmeta.gallery.store import GalleryStore


def re_embed(
    path: Path,
    store: GalleryStore,
    learner: Any,
    *,
    invert: bool | None,
    light_ground: bool | None,
    input_dtype: str | None,
    on_progress: Callable[[int, int], None] | None,
) -> Change:
    """As `Gallery.re_embed`.

    The file of the learner is there before the database names it, and the former one
    until it no longer does: a crash leaves a file too much at most.
    """
    before = Facts.of_rows(store.facts(), store.path)
    if learner is None:
        learner = load_learner(path, before)
        light_ground, input_dtype = before.light_ground, before.input_dtype
    check_learner(learner)
    after = dataclasses.replace(
        before,
        **facts_of(learner),
        invert=before.invert if invert is None else bool(invert),
        light_ground=light_ground,
        input_dtype=input_dtype,
    )
    rows = after.to_rows()
    Facts.of_rows(rows, store.path)
    encoder = ExampleEncoder(learner, invert=after.invert, input_dtype=input_dtype)

    def embed(originals: list[Original]) -> np.ndarray:
        return encoder.embed([example_of(one) for one in originals])

    # What another process has set of the threshold meanwhile stays.
    changed = {
        n: v for n, v in rows.items() if n not in ("threshold", "keep_originals")
    }
    if after.encoder != before.encoder and isinstance(before.threshold, Threshold):
        # It was fitted on what the former encoder made.
        rule = CrossValidation(before.threshold.recall)
        changed["threshold"] = dataclasses.replace(after, threshold=rule).to_rows()[
            "threshold"
        ]
    file = path / after.learner_file
    save_learner(learner, file)
    try:
        change = None
        if after.embedding_rows() == before.embedding_rows():
            change = _with_same_embeddings(store, changed, before)
        if change is None:
            change = store.re_embed(embed, changed, on_progress=on_progress)
    finally:
        # Of an error after the change is made, too, the file that is named stays.
        named = Facts.of_rows(store.facts(), store.path).learner_file
        for unused in {before.learner_file, after.learner_file} - {named}:
            remove(path / unused)
    return change


def _with_same_embeddings(
    store: GalleryStore, rows: dict[str, str], before: Facts
) -> Change | None:
    """Takes over a learner whose encoder has made the embeddings that are there.

    Returns:
        The change; `None` where others have made them by now.
    """
    try:
        return store.set_facts(
            rows,
            "another learner on the same embeddings",
            expected=before.embedding_rows(),
        )
    except FactsChangedError:
        return None
