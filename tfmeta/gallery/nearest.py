"""The best classes of queries, of candidates or of logits of all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfmeta.gallery.rows_of_numbers import log_sum


class Nearest(NamedTuple):
    """The best classes of some queries.

    Attributes:
        ids: Int64 `(queries, top)`: ids of the classes, the best first; -1 for none.
        logits: Float64 `(queries, top)`, `-inf` for none.
        log_sum: Float64 `(queries,)`: log of the sum of `exp(logit)` of all classes.
    """

    ids: np.ndarray
    logits: np.ndarray
    log_sum: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """Float64 `(queries, top)`, of a softmax over all classes."""
        return np.exp(self.logits - self.log_sum[:, None])


def best_of_pairs(
    query: np.ndarray,
    ids: np.ndarray,
    logits: np.ndarray,
    log_sums: np.ndarray,
    top: int,
) -> Nearest:
    """The best of candidates, of equal ones the first enrolled.

    Args:
        query: Int `(pairs,)`: whose candidate.
        ids: Int64 `(pairs,)`: ids of classes, which ascend as they are enrolled.
        logits: Float64 `(pairs,)`.
        log_sums: Float64 `(queries,)`, of all classes.
        top: How many.
    """
    order = np.lexsort((ids, -logits, query))
    query = query[order]
    rank = np.arange(len(query)) - np.searchsorted(query, query)
    kept = order[rank < top]
    query, rank = query[rank < top], rank[rank < top]
    best_ids = np.full((len(log_sums), top), -1, np.int64)
    best_logits = np.full((len(log_sums), top), -np.inf)
    best_ids[query, rank], best_logits[query, rank] = ids[kept], logits[kept]
    return Nearest(best_ids, best_logits, log_sums)


def best_of_all(logits: np.ndarray, ids: np.ndarray, top: int) -> Nearest:
    """The best of logits `(queries, classes)`, which are overwritten."""
    # A sort of very many would take longer than to find them.
    least = -np.partition(-logits, top - 1, axis=1)[:, top - 1]
    query, label = np.nonzero(logits >= least[:, None])
    best = logits[query, label].astype(np.float64)
    return best_of_pairs(query, ids[label], best, log_sum(logits), top)
