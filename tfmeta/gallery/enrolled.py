"""What a learner knows of the enrolled classes, kept up to date class by class."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.gallery.comparing import Comparison
from tfmeta.gallery.nearest import Nearest, best_of_all, best_of_pairs
from tfmeta.gallery.records import StoredClass
from tfmeta.gallery.rows_of_numbers import exchanged
from tfmeta.gallery.scan import Candidates, Scan
from tfmeta.gallery.state_table import ROWS_TOGETHER, StateTable

# Numbers of embeddings that are learned from at once, in classes of one size.
_LEARNED_AT_ONCE = 2**22
# Ways of a learner that learns all classes together, from labels (examples, ways).
_MOST_WAYS = 4096
# From so many classes on they are scanned in float32 before they are compared.
SCANNED_FROM = 4096
# Logits of a scan at once, numbers of vectors that are compared at once in float64.
_LOGITS_AT_ONCE, _NUMBERS_AT_ONCE = 2**25, 2**25
# Of a query: beyond it nothing is gained by a scan.
_MOST_CANDIDATES = 2048
# Relative error of the sum over all classes that a scan may have.
_SCAN_ERROR = 1e-3


class Enrolled:
    """The enrolled classes in memory, and the state that a learner makes of them.

    A learner with `independent_classes` learns the classes that have changed alone;
    others learn all of them again when they are next asked. Where logits are a function
    of one vector of each class (`class_vectors`), very many classes are scanned by a
    product of matrices in float32, and those that come out near are compared again.

    Args:
        learner: A learner with `independent_embeddings`.
        scanned_from: From how many classes on.
    """

    def __init__(self, learner: Any, *, scanned_from: int = SCANNED_FROM) -> None:
        self._learner = learner
        self._classes: dict[int, StoredClass] = {}
        self._names: tuple[str, ...] | None = None
        self._table = StateTable()
        self._state: dict[str, tf.Tensor] | None = None
        self._compare_graph: Callable[..., tf.Tensor] | None = None
        self._comparison = _comparison_of(learner)
        self._scanned_from = scanned_from
        self._scan: Scan | None = None
        self._scanned_layout = -1
        # A head that is fitted takes hundreds of steps, one by one without a graph.
        self._adapt = tf.function(
            lambda embeddings, labels: learner.adapt_embeddings(embeddings, labels),
            input_signature=[
                tf.TensorSpec([1, None, *learner.encoder.output_shape[1:]]),
                tf.TensorSpec([1, None, None]),
            ],
        )

    def __len__(self) -> int:
        return len(self._classes)

    @property
    def classes(self) -> Sequence[StoredClass]:
        """The classes with their embeddings, in order of enrolment."""
        return tuple(self._classes.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, by label."""
        if self._names is None:
            self._names = tuple(one.name for one in self._classes.values())
        return self._names

    def names_of(self, ids: np.ndarray) -> np.ndarray:
        """The names of classes, an array of `str` objects in the shape of `ids`."""
        names = np.empty(ids.size, object)
        names[:] = [self._classes[one].name for one in ids.ravel().tolist()]
        return names.reshape(ids.shape)

    def update(self, changed: Iterable[StoredClass]) -> None:
        """Takes over classes as they are now; those without examples are gone."""
        learn, gone = [], []
        last = next(reversed(self._classes), 0)
        ascending = True
        for one in changed:
            if len(one.embeddings):
                ascending &= one.id > last or one.id in self._classes
                last = max(last, one.id)
                self._classes[one.id] = one
                learn.append(one)
            elif self._classes.pop(one.id, None) is not None:
                gone.append(one.id)
        if not ascending:
            self._classes = dict(sorted(self._classes.items()))
        self._state = self._names = None
        if self._learner.independent_classes:
            self._learn(learn, gone)

    def _learn(self, learn: Sequence[StoredClass], gone: Sequence[int]) -> None:
        changed = [self._table.remove(np.array(gone, np.int64))]
        self._table.reserve(np.array([one.id for one in learn], np.int64))
        for ids, rows in self._rows_of(learn):
            slots = self._table.slots(ids)
            self._table.write(slots, rows)
            changed.append(slots)
        if self._scan is not None and self._scanned_layout == self._table.layout:
            slots = np.concatenate(changed)
            self._scan.update(slots, self._vectors(slots), self._table.present[slots])
        else:
            self._scan = None

    def _rows_of(
        self, classes: Sequence[StoredClass]
    ) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Ids of classes, and the part of the state of each, `(classes, ...)`.

        Classes of as many examples each are the tasks of a batch, of one way.
        """
        by_size: dict[int, list[StoredClass]] = {}
        for one in classes:
            by_size.setdefault(len(one.embeddings), []).append(one)
        for alike in by_size.values():
            at_once = max(1, _LEARNED_AT_ONCE // alike[0].embeddings.size)
            for start in range(0, len(alike), at_once):
                part = alike[start : start + at_once]
                embeddings = np.stack([one.embeddings for one in part])
                state = self._learner.adapt_embeddings(
                    tf.constant(embeddings), tf.ones((*embeddings.shape[:2], 1))
                )
                yield (
                    np.array([one.id for one in part], np.int64),
                    {name: value[:, 0].numpy() for name, value in state.items()},
                )

    def state(self) -> dict[str, tf.Tensor]:
        """The state of one task with all classes.

        Raises:
            ValueError: When there is no class, or too many for a learner that learns
                all of them together.
        """
        self.check_any()
        if self._state is None:
            self._state = self._learned()
        return self._state

    def check_any(self) -> None:
        """Checks that there is a class.

        Raises:
            ValueError: When there is none.
        """
        if not self._classes:
            raise ValueError(
                "the gallery must have at least one class. Received: none; enrol some"
            )

    def _learned(self) -> dict[str, tf.Tensor]:
        if self._learner.independent_classes:
            return self._state_of(np.flatnonzero(self._table.present)[None])
        ways = len(self._classes)
        if ways > _MOST_WAYS:
            raise ValueError(
                f"a gallery of a {type(self._learner).__name__}, which learns all "
                f"classes together, must have at most {_MOST_WAYS:,} classes. "
                f"Received: {ways:,}"
            )
        return self.learn([one.embeddings for one in self._classes.values()])

    def learn(self, embeddings: Sequence[np.ndarray]) -> dict[str, tf.Tensor]:
        """The state of one task, from the embeddings of each class."""
        sizes = [len(of_class) for of_class in embeddings]
        labels = np.repeat(np.arange(len(sizes)), sizes)
        return self._adapt(
            tf.constant(np.concatenate(embeddings))[None],
            tf.one_hot(labels, len(sizes))[None],
        )

    def logits(
        self, embeddings: np.ndarray, state: dict[str, tf.Tensor] | None = None
    ) -> np.ndarray:
        """Float32 `(queries, ways)`; no query has a part in another's.

        Of very many classes those that may be the best two are right to the digits of
        float32, the others about to five.

        Args:
            embeddings: Float32 `(queries, *embedding)`.
            state: Of one task; `None` for that of all classes.
        """
        if state is not None:
            return self._compare(state, tf.constant(embeddings)[None])[0].numpy()
        self.check_any()
        scan = self._scan_for(2)
        if scan is None:
            return self._exact_logits(embeddings)
        found = np.empty((len(embeddings), len(self)), np.float32)
        for part in _parts(len(embeddings), self._at_once()):
            found[part] = self._scanned_logits(scan, embeddings[part])
        return found

    def nearest(
        self, embeddings: np.ndarray, top: int, *, without: np.ndarray | None = None
    ) -> Nearest:
        """The best classes of each query; they are the same as by `logits`.

        Args:
            embeddings: Float32 `(queries, *embedding)`.
            top: How many, at most all.
            without: Int64 `(queries,)`: of each query the id of a class that is left
                out, as if it were not there; `None` for none.
        """
        self.check_any()
        top = min(top, len(self) - (without is not None))
        # Of no query nothing is to be found in caches.
        scan = self._scan_for(top + 1) if len(embeddings) else None
        parts = []
        for part in _parts(max(1, len(embeddings)), self._at_once()):
            left_out = None if without is None else without[part]
            parts.append(
                self._nearest_exactly(embeddings[part], top, left_out)
                if scan is None
                else self._nearest_scanned(scan, embeddings[part], top, left_out)
            )
        return Nearest(*map(np.concatenate, zip(*parts, strict=True)))

    @property
    def comparison(self) -> Comparison | None:
        """How logits follow from vectors, `None` where they do not."""
        return self._comparison

    @property
    def ids(self) -> np.ndarray:
        """Int64 `(classes,)`: ids of the classes, ascending."""
        return self._table.ids[self._table.present]

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """Vectors of classes that are there, `(classes, features)`."""
        return self._vectors(self._table.slots(ids))

    def _at_once(self) -> int:
        return max(1, _LOGITS_AT_ONCE // max(1, len(self._table.ids)))

    def _scan_for(self, top: int) -> Scan | None:
        """The scan of all classes, where one is of use."""
        few = max(self._scanned_from, top * ROWS_TOGETHER)
        if self._comparison is None or len(self) < few:
            return None
        if self._scan is None:
            memory = self._table.memory(self._comparison.part)
            self._scan = Scan(self._comparison, memory, self._table.present)
            self._scanned_layout = self._table.layout
        return self._scan

    def _scanned_logits(self, scan: Scan, embeddings: np.ndarray) -> np.ndarray:
        queries = scan.queries(embeddings)
        products = scan.products(queries)
        found = scan.candidates(queries, products, 2)
        query, slot, badly = self._well_scanned(found, len(embeddings))[:3]
        rows = slice(0, len(self._table.ids))
        logits = scan.logits(products[:, rows], rows, queries.squares)
        logits[query, slot] = self._pairs(queries.vectors, query, slot)
        logits = logits[:, self._table.present]
        if badly.any():
            logits[badly] = self._exact_logits(embeddings[badly])
        return logits

    def _nearest_scanned(
        self, scan: Scan, embeddings: np.ndarray, top: int, without: np.ndarray | None
    ) -> Nearest:
        queries = scan.queries(embeddings)
        left_out = None if without is None else self._table.slots(without)
        found = scan.candidates(queries, scan.products(queries), top, left_out)
        query, slot, badly, logit = self._well_scanned(found, len(embeddings))
        right = self._pairs(queries.vectors, query, slot)
        sums = exchanged(found.log_sum, query, logit, right)
        nearest = best_of_pairs(query, self._table.ids[slot], right, sums, top)
        if badly.any():
            left_out = None if without is None else without[badly]
            exact = self._nearest_exactly(embeddings[badly], top, left_out)
            for ours, theirs in zip(nearest, exact, strict=True):
                ours[badly] = theirs
        return nearest

    def _vectors(self, slots: np.ndarray) -> np.ndarray:
        assert self._comparison is not None
        return self._table.parts[self._comparison.part][slots]

    def _well_scanned(
        self, found: Candidates, queries: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Candidates of queries whose nearest float32 tells from others.

        Returns:
            Their query and slot; bool `(queries,)`, of which queries there are none;
            and their logits.
        """
        many = np.bincount(found.query, minlength=queries) > _MOST_CANDIDATES
        badly = many | ~(found.error < _SCAN_ERROR)
        if not badly.any():
            return found.query, found.slot, badly, found.logit
        good = ~badly[found.query]
        return found.query[good], found.slot[good], badly, found.logit[good]

    def _pairs(
        self, queries: np.ndarray, query: np.ndarray, slot: np.ndarray
    ) -> np.ndarray:
        """Logits of pairs of a query and a row, float64 `(pairs,)`, of float32."""
        assert self._comparison is not None
        found = self._comparison.of_pairs(queries[query], self._vectors(slot))
        return found.astype(np.float64)

    def _state_of(self, slots: np.ndarray) -> dict[str, tf.Tensor]:
        """The state of tasks with some classes each, of rows `(tasks, classes)`."""
        parts = self._table.parts.items()
        return {name: tf.constant(part[slots]) for name, part in parts}

    def _exact_logits(self, embeddings: np.ndarray) -> np.ndarray:
        query = tf.constant(embeddings)[None]
        if self._comparison is None:
            return self._compare(self.state(), query)[0].numpy()
        # What it makes of all classes on the way may be much larger than they are.
        slots = np.flatnonzero(self._table.present)
        at_once = max(1, _NUMBERS_AT_ONCE // math.prod(embeddings.shape[1:]))
        if len(slots) <= at_once:
            return self._compare(self.state(), query)[0].numpy()
        found = [
            self._compare(self._state_of(slots[part][None]), query)[0].numpy()
            for part in _parts(len(slots), at_once)
        ]
        return np.concatenate(found, axis=1)

    def _nearest_exactly(
        self, embeddings: np.ndarray, top: int, without: np.ndarray | None
    ) -> Nearest:
        ids = np.fromiter(self._classes, np.int64, len(self))
        logits = self._exact_logits(embeddings)
        if without is not None:
            logits[np.arange(len(logits)), np.searchsorted(ids, without)] = -np.inf
        return best_of_all(logits, ids, top)

    def _compare(self, state: dict[str, tf.Tensor], query: tf.Tensor) -> tf.Tensor:
        if self._compare_graph is None:
            # With a signature, so that it is traced once, however many classes.
            learned = self._adapt.get_concrete_function().structured_outputs
            parts = {n: tf.TensorSpec(s.shape, s.dtype) for n, s in learned.items()}
            rows = tf.TensorSpec([1, None, *query.shape[2:]], query.dtype)
            self._compare_graph = tf.function(
                lambda state, query: self._compared(state, query),
                input_signature=[parts, rows],
            )
        return self._compare_graph(state, query)

    def _compared(self, state: dict[str, tf.Tensor], query: tf.Tensor) -> tf.Tensor:
        if self._learner.transductive:
            logits = self._learner.predict_each_embedded(state, query)
        else:
            logits = self._learner.compare_embeddings(state, query)
        return tf.cast(logits, tf.float32)


def _comparison_of(learner: Any) -> Comparison | None:
    form = learner.class_vectors() if learner.independent_classes else None
    if form is None or form.distance.function_of is None:
        return None
    comparison = Comparison(form)
    # A subclass may compare otherwise, and have inherited what is said of it.
    return comparison if comparison.is_of(learner) else None


def _parts(count: int, at_once: int) -> Iterator[slice]:
    return (slice(start, start + at_once) for start in range(0, count, at_once))
