"""The index of a gallery, kept up to date and on disk, and what it misses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.gallery.class_index import ClassIndex, read_description
from tfmeta.gallery.comparing import Comparison, log_sum, squares_of, unit_rows
from tfmeta.gallery.enrolled import Enrolled
from tfmeta.gallery.erasing import INDEX_DESCRIPTION
from tfmeta.gallery.nearest import Nearest, best_of_pairs

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
        self._changed = 0
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
        features = enrolled.vectors(enrolled.ids[:1]).shape[1]
        of = {**of, "features": features, "by_cosines": comparison.by_cosines}
        kept = self._kept or self._loaded(of, comparison)
        if kept is not None and kept.change == change and self._is_there(kept, of):
            self._kept = kept
            return
        changed = np.empty(0, np.int64)
        if kept is not None:
            changed = np.unique(np.fromiter(changed_since(kept.change), np.int64))
        usable = (
            kept is not None
            and self._is_there(kept, of)
            and kept.change <= change
            and len(changed) <= _MOST_CHANGED * len(enrolled)
        )
        if kept is not None and usable:
            kept.index.remove(changed)
            kept.index.put(np.intersect1d(changed, enrolled.ids), enrolled.vectors)
            usable = len(kept.index) == len(enrolled)
        if kept is not None and usable:
            self._kept = dataclasses.replace(kept, change=change)
            self._changed += len(changed)
            if self._changed < _KEPT_AGAIN * len(enrolled):
                return
        else:
            index = ClassIndex(features, by_cosines=comparison.by_cosines)
            index.put(enrolled.ids, enrolled.vectors, on_progress=on_progress)
            self._kept = _Kept(index, of, change, {})
        recall = self._measured(enrolled)
        self._kept = dataclasses.replace(self._kept, recall=recall)
        self._save()

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
        rest = _rest_of_sums(comparison, enrolled, queries, query, found)
        sums = np.logaddexp(sums, rest)
        return best_of_pairs(query, found, logits, sums, min(top, len(enrolled)))

    def _is_there(self, kept: _Kept, of: Mapping[str, Any]) -> bool:
        """Whether it is of what is asked, and nobody has removed it from the disk."""
        on_disk = bool(self.warnings) or (self._folder / INDEX_DESCRIPTION).exists()
        return kept.of == of and on_disk

    def _loaded(self, of: Mapping[str, Any], comparison: Comparison) -> _Kept | None:
        found = read_description(self._folder)
        if found is None or found["of"] != of:
            return None
        index = ClassIndex(of["features"], by_cosines=comparison.by_cosines)
        if not index.load(self._folder, found):
            return None
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


def _rest_of_sums(
    comparison: Comparison,
    enrolled: Enrolled,
    queries: np.ndarray,
    query: np.ndarray,
    found: np.ndarray,
) -> np.ndarray:
    """Logs of sums of `exp(logit)` of the classes that were not found, by a sample.

    Args:
        comparison: How logits follow.
        enrolled: What is enrolled.
        queries: Float `(queries, features)`.
        query: Int `(pairs,)`: who has found a class.
        found: Int64 `(pairs,)`: its id.
    """
    ids = enrolled.ids
    count = len(ids)
    if count > _SAMPLE:
        # Always the same: the answer to a query must not change with every call.
        rng = np.random.default_rng(0)
        ids = ids[np.sort(rng.choice(count, _SAMPLE, replace=False, shuffle=False))]
    logits = _logits_of_all(comparison, queries, enrolled.vectors(ids))
    place = np.minimum(np.searchsorted(ids, found), len(ids) - 1)
    taken = ids[place] == found
    logits[query[taken], place[taken]] = -np.inf
    sampled = len(ids) - np.bincount(query[taken], minlength=len(queries))
    others = count - np.bincount(query, minlength=len(queries))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(sampled > 0, np.log(others / sampled), 0.0)
    return log_sum(logits) + scale


def _logits_of_all(
    comparison: Comparison, queries: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Float32 `(queries, classes)`, by a product of matrices, about right."""
    if comparison.by_cosines:
        values = unit_rows(queries) @ unit_rows(classes).T
    else:
        middle = classes.mean(axis=0, dtype=np.float64)
        queries, classes = queries - middle, classes - middle
        values = squares_of(queries)[:, None] + squares_of(classes)
        values = np.maximum(values - 2.0 * (queries @ classes.T), 0.0)
    return comparison.logits(values.astype(np.float32))
