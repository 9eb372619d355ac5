"""What is in memory of a gallery, in step with what is on disk."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tfmeta.evaluation.threshold import Threshold
from tfmeta.gallery.answering import threshold_warnings
from tfmeta.gallery.calibration import cross_validated
from tfmeta.gallery.enrolled import Enrolled
from tfmeta.gallery.examples import ExampleEncoder, Examples
from tfmeta.gallery.facts import CrossValidation, Facts
from tfmeta.gallery.index import GalleryIndex
from tfmeta.gallery.kept_learner import load_learner
from tfmeta.gallery.nearest import Nearest
from tfmeta.gallery.store import GalleryStore

Progress = Callable[[int, int], None] | None
# Embeds examples `(examples, *embedding)` by an encoder, as `ExampleEncoder.embed`.
Embed = Callable[[ExampleEncoder, Examples, Progress], np.ndarray]
Result = TypeVar("Result")


class GalleryMemory:
    """A learner, and what it has learned of the classes up to some change.

    Everything but the methods is to be read inside `now` alone.

    Args:
        path: The folder of the gallery.
        store: Its database.
        embed: How examples are embedded, `None` for by the encoder itself.

    Attributes:
        facts: What the gallery is.
        learner: Its learner.
        encoder: Embeds examples by the learner's encoder.
        enrolled: What is enrolled.
        version: Number of the latest change.
    """

    facts: Facts
    learner: Any
    encoder: ExampleEncoder
    enrolled: Enrolled

    def __init__(
        self, path: Path, store: GalleryStore, embed: Embed | None = None
    ) -> None:
        self._path = path
        self._store = store
        self.embed = embed or _by_itself
        self._lock = threading.RLock()
        self._index = GalleryIndex(path)
        self.version = 0
        # Those of `facts`, none before the learner is loaded.
        self._rows: dict[str, str] = {}
        self._threshold: tuple[Threshold | None, tuple[str, ...]] | None = None

    @contextlib.contextmanager
    def now(self) -> Iterator[GalleryMemory]:
        """Takes over what has changed, by whomever; no other thread does meanwhile.

        Raises:
            FileNotFoundError, ValueError: As `load_learner`.
        """
        with self._lock:
            self._take_over()
            yield self

    def with_embeddings(
        self,
        examples: Examples,
        use: Callable[[GalleryMemory, np.ndarray], Result],
        *,
        on_progress: Progress = None,
    ) -> Result:
        """Embeds examples by the encoder of what they are used with.

        Threads embed at the same time. Where somebody has embedded the gallery by
        another encoder meanwhile it is done anew.

        Args:
            examples: The examples.
            use: From the memory, as of `now`, and embeddings `(examples, *embedding)`
                to what is returned.
            on_progress: Called with the number of examples embedded, and of all.
        """
        while True:
            with self.now() as memory:
                encoder = memory.encoder
            embeddings = self.embed(encoder, examples, on_progress)
            with self.now() as memory:
                if memory.encoder is encoder:
                    return use(memory, embeddings)

    def threshold(self) -> tuple[Threshold | None, tuple[str, ...]]:
        """The threshold, and what is wrong with it."""
        if self._threshold is None:
            rule = self.facts.threshold
            found = (
                cross_validated(self.learner, self.enrolled, recall=rule.recall)
                if isinstance(rule, CrossValidation)
                else rule
            )
            self._threshold = (
                found,
                threshold_warnings(rule, found, self.enrolled.classes),
            )
        return self._threshold

    def nearest(
        self, embeddings: np.ndarray, top: int, *, index: bool
    ) -> tuple[Nearest, Mapping[int, float] | None, tuple[str, ...]]:
        """The best classes, the recall of the index that has found them, and warnings.

        Args:
            embeddings: Float32 `(queries, *embedding)`.
            top: How many classes.
            index: Whether to find them by an index.
        """
        if not index:
            return self.enrolled.nearest(embeddings, top), None, ()
        current = self.current_index()
        found = current.nearest(self.enrolled, embeddings, top)
        return found, current.recall, current.warnings

    def current_index(self, *, on_progress: Progress = None) -> GalleryIndex:
        """The index of what is enrolled; see `GalleryIndex.bring_up_to_date`."""
        self.enrolled.check_any()
        self._index.bring_up_to_date(
            self.enrolled,
            {"learner_file": self.facts.learner_file, **self.facts.embedding_rows()},
            self.version,
            lambda version: [one.id for one in self._store.read_since(version)[2]],
            on_progress=on_progress,
        )
        return self._index

    def _take_over(self) -> None:
        while True:
            rows, latest, changed = self._store.read_since(self.version)
            if rows == self._rows:
                break
            self._change_facts(rows)
        if latest != self.version:
            self.enrolled.update(changed)
            self.version, self._threshold = latest, None

    def _change_facts(self, rows: dict[str, str]) -> None:
        facts = Facts.of_rows(rows, self._store.path)
        if not self._rows or facts.learner_file != self.facts.learner_file:
            try:
                learner = load_learner(self._path, facts)
            except (FileNotFoundError, ValueError):
                if self._store.facts() == rows:
                    raise
                return  # Who has embedded anew meanwhile has removed this file.
            self.learner = learner
            self.encoder = ExampleEncoder(
                learner, invert=facts.invert, input_dtype=facts.input_dtype
            )
            self.enrolled, self.version = Enrolled(learner), 0
        self.facts, self._rows, self._threshold = facts, rows, None


def _by_itself(
    encoder: ExampleEncoder, examples: Examples, on_progress: Progress
) -> np.ndarray:
    return encoder.embed(examples, on_progress=on_progress)
