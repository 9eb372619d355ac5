"""Squares, lengths and sums of rows of numbers, in NumPy."""

from __future__ import annotations

import numpy as np

_LEAST = np.float32(-80.0)


def squares_of(vectors: np.ndarray) -> np.ndarray:
    """Float64 `(rows,)`: the squares of vectors `(rows, features)`."""
    wide = vectors.astype(np.float64)
    return np.einsum("rf,rf->r", wide, wide)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Float64 vectors of length 1; a vector of zeros stays one."""
    wide = vectors.astype(np.float64)
    length = np.sqrt(squares_of(wide))[:, None]
    return np.divide(wide, length, out=np.zeros_like(wide), where=length > 0.0)


def log_sum(logits: np.ndarray) -> np.ndarray:
    """Float64 `(queries,)`: log of the sum of `exp(logits)`, which are overwritten.

    Args:
        logits: Float32 `(queries, n)`.
    """
    top = logits.max(axis=1)
    return top + log_sum_about(logits, top)


def log_sum_about(
    values: np.ndarray, top: np.ndarray, slope: float = 1.0
) -> np.ndarray:
    """Float64 `(queries,)`: log of the sum of `exp(slope (values - top))`.

    Args:
        values: Float32 `(queries, n)`, which are overwritten.
        top: Float32 `(queries,)`: the largest of each query.
        slope: Above 0.
    """
    values -= np.where(np.isneginf(top), np.float32(0.0), top)[:, None]
    if slope != 1.0:
        values *= np.float32(slope)
    # Processors take a hundred times as long for what is below the smallest normal
    # number, and one of the values is 0.
    np.maximum(values, _LEAST, out=values)
    total = np.exp(values, out=values).sum(axis=1).astype(np.float64)
    return np.where(np.isneginf(top), -np.inf, np.log(total))


def exchanged(
    log_sums: np.ndarray, query: np.ndarray, before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Logs of sums of `exp(logits)` in which some logits are exchanged for others.

    Args:
        log_sums: Float64 `(queries,)`.
        query: Int `(pairs,)`: whose sum each logit is part of.
        before: Float64 `(pairs,)`.
        after: Float64 `(pairs,)`.
    """
    count = len(log_sums)
    gone = np.bincount(query, np.exp(before - log_sums[query]), count)
    come = np.bincount(query, np.exp(after - log_sums[query]), count)
    with np.errstate(divide="ignore"):
        return log_sums + np.log(np.maximum(1.0 - gone, 0.0) + come)
