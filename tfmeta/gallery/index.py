"""The index of a gallery, kept up to date and on disk, and what it misses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfmeta.gallery.class_index import ClassIndex, read_description
from tfmeta.gallery.comparing import Comparison
from tfmeta.gallery.enrolled import Enrolled
from tfmeta.gallery.erasing import INDEX_DESCRIPTION
from tfmeta.gallery.nearest import Nearest, best_of_pairs
from tfmeta.gallery.products import VectorTable
from tfmeta.gallery.rows_of_numbers import log_sum, squares_of, unit_rows
from tfmeta.gallery.state_table import aligned_zeros, rounded_up

Progress = Callable[[int, int], None] | None

# Candidates for each class that is asked for, and at least.
_FOR_EACH, _LEAST = 4, 64
# A share of changed classes from which on the index is made anew, and one from which
# on it is kept on disk again.
_MOST_CHANGED, _KEPT_AGAIN = 0.2, 0.05
# Classes that stand for all others in the sum of a softmax.
_SAMPLE = 2048
# Queries that the recall is measured on, and the numbers of best classes.
_ASKED, RECALL_AT = 200, (1, 10)


@dataclasses.dataclass(frozen=True, eq=False)
class _Kept:
    """An index in memory.

    Attributes:
        index: It.
        of: What its vectors depend on.
        change: Number of the latest change of the gallery that is in it.
        recall: What it finds.
    """

    index: ClassIndex
    of: Mapping[str, Any]
    change: int
    recall: dict[str, float]


class GalleryIndex:
    """Finds the best classes without looking at all of them, and may miss some.

    What it finds is compared as exactly as by the scan. The sum of a softmax over all
    classes is that of what was found and, for the others, of a sample of 2,048.

    A file beside the database spares others making it; it can be removed, and is
    made again where it is damaged or of another learner. It holds vectors of classes:
    `Gallery.purge` removes it, and whoever had it open makes another.

    Args:
        folder: That of the gallery.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: _Kept | None = None
        # Classes that are in it, and not yet on disk.
        self._changed = 0
        self._sample: _Sample | None = None
        self.warnings: tuple[str, ...] = ()

    @property
    def recall(self) -> dict[int, float]:
        """Share of the best 1 and 10 classes that it finds, by these numbers."""
        assert self._kept is not None
        return {int(at): share for at, share in self._kept.recall.items()}

    def bring_up_to_date(
        self,
        enrolled: Enrolled,
        of: Mapping[str, Any],
        change: int,
        changed_since: Callable[[int], Iterable[int]],
        *,
        on_progress: Progress = None,
    ) -> None:
        """Takes over what has changed, of the file, or makes the index.

        Args:
            enrolled: What is enrolled.
            of: What the vectors of classes depend on, plain values.
            change: Number of the latest change in it.
            changed_since: From the number of a change to ids of classes that have
                changed since.
            on_progress: Called with the number of classes added, and of all.

        Raises:
            MissingExtraError: When usearch is not installed.
            ValueError: When the learner does not say how logits follow from vectors of
                classes.
        """
        comparison = enrolled.comparison
        if comparison is None:
            raise ValueError(
                "`index` must be False for a learner whose logits are no function of "
                "one vector of each class (`class_vectors`). Received: index=True"
            )
        of = {**of, "by_cosines": comparison.by_cosines}
        kept = self._kept
        if kept is None or not self._is_there(kept, of):
            kept = self._loaded(enrolled, of)
        if kept is None or not self._follow(kept, enrolled, change, changed_since):
            index = _index_like(enrolled, comparison)
            index.put(enrolled.ids, enrolled.vectors, on_progress=on_progress)
            self._kept, self._changed = _Kept(index, of, change, {}), len(enrolled)
        if self._changed >= _KEPT_AGAIN * len(enrolled):
            assert self._kept is not None
            recall = self._measured(enrolled)
            self._kept = dataclasses.replace(self._kept, recall=recall)
            self._save()

    def _follow(
        self,
        kept: _Kept,
        enrolled: Enrolled,
        change: int,
        changed_since: Callable[[int], Iterable[int]],
    ) -> bool:
        """Takes over what has changed since, where that is less than making it anew."""
        if kept.change > change:
            return False
        if kept.change < change:
            changed = np.unique(np.fromiter(changed_since(kept.change), np.int64))
            if len(changed) > _MOST_CHANGED * len(enrolled):
                return False
            kept.index.remove(changed)
            kept.index.put(np.intersect1d(changed, enrolled.ids), enrolled.vectors)
            self._changed += len(changed)
            kept = dataclasses.replace(kept, change=change)
        self._kept = kept
        return len(kept.index) == len(enrolled)

    def nearest(self, enrolled: Enrolled, embeddings: np.ndarray, top: int) -> Nearest:
        """As `Enrolled.nearest`, of what it finds; it is up to date.

        Args:
            enrolled: What is enrolled.
            embeddings: Float32 `(queries, *embedding)`.
            top: How many classes.
        """
        assert self._kept is not None and enrolled.comparison is not None
        comparison, count = enrolled.comparison, len(embeddings)
        queries = comparison.query_vectors(embeddings)
        ids = self._kept.index.nearest(
            queries, min(max(_FOR_EACH * top, _LEAST), len(enrolled))
        )
        query, place = np.nonzero(ids > 0)
        found = ids[query, place]
        vectors = enrolled.vectors(found)
        logits = comparison.of_pairs(queries[query], vectors).astype(np.float64)
        sums = np.full(count, -np.inf)
        np.logaddexp.at(sums, query, logits)
        if self._sample is None or self._sample.change != self._kept.change:
            self._sample = _Sample.of(enrolled, comparison, self._kept.change)
        rest = self._sample.rest_of_sums(comparison, queries, query, found)
        sums = np.logaddexp(sums, rest)
        return best_of_pairs(query, found, logits, sums, min(top, len(enrolled)))

    def _is_there(self, kept: _Kept, of: Mapping[str, Any]) -> bool:
        """Whether it is of what is asked, and nobody has removed it from the disk."""
        on_disk = bool(self.warnings) or (self._folder / INDEX_DESCRIPTION).exists()
        return kept.of == of and on_disk

    def _loaded(self, enrolled: Enrolled, of: Mapping[str, Any]) -> _Kept | None:
        found = read_description(self._folder)
        if found is None or found["of"] != of:
            return None
        assert enrolled.comparison is not None
        index = _index_like(enrolled, enrolled.comparison)
        if not index.load(self._folder, found):
            return None
        self._changed, self.warnings = 0, ()
        return _Kept(index, found["of"], found["change"], found["recall"])

    def _save(self) -> None:
        assert self._kept is not None
        kept = self._kept
        self._changed, self.warnings = 0, ()
        try:
            kept.index.save(self._folder, kept.of, kept.change, kept.recall)
        except OSError as error:
            # It answers all the same.
            self.warnings = (f"the index is made anew when it is next opened: {error}",)

    def _measured(self, enrolled: Enrolled) -> dict[str, float]:
        """The recall on a sample of queries that lie between two examples."""
        rng = np.random.default_rng(0)
        classes = enrolled.classes
        chosen = rng.integers(0, len(classes), (min(_ASKED, len(classes)), 2))
        one, other = (
            np.stack([classes[label].embeddings[0] for label in labels])
            for labels in chosen.T
        )
        asked = np.float32(0.7) * one + np.float32(0.3) * other
        return measured_recall(enrolled, self, asked)


def measured_recall(
    enrolled: Enrolled, index: GalleryIndex, embeddings: np.ndarray
) -> dict[str, float]:
    """Share of the best classes of queries that an index finds.

    Args:
        enrolled: What is enrolled.
        index: The index, up to date.
        embeddings: Float32 `(queries, *embedding)`.

    Returns:
        By how many are asked for, 1 and 10, at most all.
    """
    top = max(RECALL_AT)
    right = enrolled.nearest(embeddings, top).ids
    found = index.nearest(enrolled, embeddings, top).ids
    return {
        str(at): float(
            np.mean(
                [
                    np.isin(r[:at], f[:at]).mean()
                    for r, f in zip(right, found, strict=True)
                ]
            )
        )
        for at in RECALL_AT
    }


def _index_like(enrolled: Enrolled, comparison: Comparison) -> ClassIndex:
    ids = enrolled.ids
    like = enrolled.vectors(ids[:: max(1, len(ids) // _SAMPLE)])
    return ClassIndex(like, by_cosines=comparison.by_cosines)


class _Sample(NamedTuple):
    """Classes that stand for all, in the sum of a softmax.

    Attributes:
        change: Number of the latest change of the gallery.
        ways: Number of all classes.
        ids: Int64 `(sample,)`, ascending.
        vectors: Of the sample, of length 1 or about `centre`.
        squares: Float32 `(sample,)`, of these.
        centre: Float32 `(features,)`.
    """

    change: int
    ways: int
    ids: np.ndarray
    vectors: VectorTable
    squares: np.ndarray
    centre: np.ndarray

    @classmethod
    def of(cls, enrolled: Enrolled, comparison: Comparison, change: int) -> _Sample:
        """Always the same: the answer to a query must not change with every call."""
        ids = enrolled.ids
        ways = len(ids)
        if ways > _SAMPLE:
            rng = np.random.default_rng(0)
            ids = np.sort(rng.choice(ids, _SAMPLE, replace=False))
        vectors = enrolled.vectors(ids)
        centre = np.zeros(vectors.shape[1], np.float32)
        if comparison.by_cosines:
            vectors = unit_rows(vectors)
        else:
            centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
            vectors = vectors - centre
        table = aligned_zeros((rounded_up(len(ids)), vectors.shape[1]), np.float32)
        table[: len(ids)] = vectors
        squares = squares_of(vectors).astype(np.float32)
        return cls(change, ways, ids, VectorTable(table), squares, centre)

    def rest_of_sums(
        self,
        comparison: Comparison,
        queries: np.ndarray,
        query: np.ndarray,
        found: np.ndarray,
    ) -> np.ndarray:
        """Logs of sums of `exp(logit)` of all classes but those that were found.

        Args:
            comparison: How logits follow.
            queries: Float `(queries, features)`.
            query: Int `(pairs,)`: who has found a class.
            found: Int64 `(pairs,)`: its id.
        """
        cosines = comparison.by_cosines
        queries = unit_rows(queries) if cosines else queries - self.centre
        queries = queries.astype(np.float32)
        values = self.vectors.times(queries)[:, : len(self.ids)]
        if not cosines:
            squares = squares_of(queries).astype(np.float32)[:, None] + self.squares
            values = np.maximum(squares - 2.0 * values, np.float32(0.0))
        logits = comparison.logits(values)
        place = np.minimum(np.searchsorted(self.ids, found), len(self.ids) - 1)
        taken = self.ids[place] == found
        logits[query[taken], place[taken]] = -np.inf
        sampled = len(self.ids) - np.bincount(query[taken], minlength=len(queries))
        others = self.ways - np.bincount(query, minlength=len(queries))
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(sampled > 0, np.log(others / sampled), 0.0)
        return log_sum(logits) + scale
