"""The features of examples: what is kept is read, the rest computed and kept."""

from __future__ import annotations

import dataclasses
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from tfmeta.datasets.storage.examples import StoredExamples
from tfmeta.datasets.storage.layout import MEMORY_MAP_FROM
from tfmeta.features.digests import AnyExamples, encoder_digest, example_digests
from tfmeta.features.encoding import Reader, encode_in_batches, reader_for
from tfmeta.features.store import FeatureStore

_LOG = logging.getLogger(__name__)

# Rows of a file: what a kill costs at most.
_CHUNK = 256


def features_of(
    encoder: keras.Model,
    examples: AnyExamples,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    read: Reader | None = None,
) -> np.ndarray:
    """What an encoder gives for examples, each computed once.

    Features are found again by the content of the example and of the encoder: a
    changed picture or a changed encoder is computed anew. For an encoder that is
    frozen; one in training changes with every step.

    Args:
        encoder: A built `keras.Model` from `(batch, *example)` to `(batch,
            *features)`, of known shape. It runs in inference mode.
        examples: Examples of a table, or a sequence of arrays, texts (`str`) or
            files of pictures (`pathlib.Path`); arrays and pictures may differ in
            size where the encoder takes any.
        cache_dir: Where features are kept, as `features_dir()`; `None` to keep none.
            Where nothing can be written, a warning is logged.
        progress: Called with the number of examples done, and of all.
        read: From a file to a picture, a function of the file's content alone; by
            default `tfmeta.datasets.reading.pictures.read_picture` in the channels
            of the encoder, and in its size where it takes one alone.

    Returns:
        Float32 `(examples, *features)`; a memory map from 256 MiB on, of a file that
        ends with it.

    Raises:
        ValueError: When features are not finite, or an example does not suit the
            encoder; nothing of such an example is kept.
        OSError: When a file cannot be read.

    Example:

    ```python
    features = features_of(encoder, table.examples, cache_dir=features_dir())
    ```
    """
    shape = _features_shape(encoder)
    out = _make_array((len(examples), *shape), cache_dir)
    read = read or reader_for(encoder)
    if cache_dir is None:
        work = _Work(np.arange(len(examples)), len(examples), progress)
        for rows, features in _computed(encoder, examples, work, read):
            out[rows] = features
        return out

    digests = example_digests(examples)
    store = FeatureStore(cache_dir, encoder_digest(encoder), shape)
    there = store.find(digests).copy_to(digests, out)
    first: dict[bytes, int] = {}
    for row in np.flatnonzero(~there):
        first.setdefault(bytes(digests[row]), int(row))
    missing = np.array(list(first.values()), np.int64)
    for rows, features in _computed(
        encoder, examples, _Work(missing, len(examples), progress), read
    ):
        out[rows] = features
        _keep(store, digests[rows], features)
    # What is there twice was computed once.
    for row in np.setdiff1d(np.flatnonzero(~there), missing):
        out[row] = out[first[bytes(digests[row])]]
    return out


@dataclasses.dataclass(frozen=True)
class _Work:
    """Rows to compute, and who is told how many of all examples are done."""

    rows: np.ndarray
    of_all: int
    progress: Callable[[int, int], None] | None

    def report(self, computed: int) -> None:
        if self.progress is not None:
            self.progress(self.of_all - len(self.rows) + computed, self.of_all)


def _computed(
    encoder: keras.Model, examples: AnyExamples, work: _Work, read: Reader
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of the examples and their features, chunk by chunk."""
    work.report(0)
    if not len(work.rows):
        return
    encode = encode_in_batches(encoder, examples, read)
    done = 0
    for start in range(0, len(work.rows), _CHUNK):
        rows = work.rows[start : start + _CHUNK]
        features = np.empty((len(rows), *_features_shape(encoder)), np.float32)
        for places, batch in encode(rows):
            features[places] = batch
            done += len(batch)
            work.report(done)
        wrong = ~np.isfinite(features).reshape(len(rows), -1).all(axis=1)
        if wrong.any():
            number = int(rows[wrong.argmax()])
            where = f"row {number}"
            if not isinstance(examples, np.ndarray | StoredExamples):
                example = examples[number]
                where = str(example) if isinstance(example, Path) else where
            raise ValueError(
                f"encoder {encoder.name!r} must give finite features. Received: others "
                f"for {wrong.sum():,} of {len(rows):,} examples, the first {where}"
            )
        yield rows, features


def _features_shape(encoder: keras.Model) -> tuple[int, ...]:
    shape = tuple(encoder.output_shape[1:])
    if None in shape:
        raise ValueError(
            "`encoder` must give features of a known shape. Received: "
            f"{encoder.name!r}, which gives (batch, {', '.join(map(str, shape))})"
        )
    return shape


def _make_array(
    shape: tuple[int, ...], cache_dir: str | os.PathLike[str] | None
) -> np.ndarray:
    """An array in memory; a large one in a file without a name, beside the cache."""
    size = 4 * int(np.prod(shape, dtype=np.int64))
    if size < MEMORY_MAP_FROM:
        return np.zeros(shape, np.float32)
    folder = None
    if cache_dir is not None and Path(cache_dir).is_dir():
        folder = str(cache_dir) if os.access(cache_dir, os.W_OK) else None
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.float32, "w+", shape=shape)


def _keep(store: FeatureStore, digests: np.ndarray, features: np.ndarray) -> None:
    try:
        store.add(digests, features)
    except OSError as error:
        _LOG.warning("features cannot be kept in %s: %s", store.folder, error)
