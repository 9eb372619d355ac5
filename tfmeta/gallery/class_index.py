"""An index of the vectors of classes, and the file that it is kept in."""

from __future__ import annotations

import contextlib
import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tfmeta.durable import flush, naming
from tfmeta.extras import MissingExtraError, is_installed
from tfmeta.gallery.erasing import INDEX_DESCRIPTION
from tfmeta.gallery.rows_of_numbers import squares_of, unit_rows
from tfmeta.json_files import read_json, write_json

_FORMAT_VERSION = 1
# What else stands in its place is no index.
_FILE = re.compile(r"index-[0-9a-f]{8}\.usearch")
# More of the graph is looked at than by default (64), for the recall.
_EXPANSION_ADD, _EXPANSION_SEARCH = 128, 256
_DIGEST_BYTES = 16
_LARGEST_HALF = np.float32(6e4)
_AT_ONCE = 2**14


class Description(TypedDict):
    """What `index.json` holds.

    Attributes:
        format_version: 1.
        file: The file of the index, in the same folder.
        digest: Of that file.
        of: What the vectors depend on.
        change: Number of the latest change of the gallery that is in it.
        centre: What was taken from vectors, a number for each feature.
        scale: What they were multiplied by then.
        recall: Share of the best 1 and of the best 10 classes that it finds, by these
            numbers, on a sample beside the exact scan.
    """

    format_version: int
    file: str
    digest: str
    of: dict[str, Any]
    change: int
    centre: list[float]
    scale: float
    recall: dict[str, float]


class ClassIndex:
    """Finds vectors near a vector in a graph of neighbours (HNSW, by usearch).

    Malkov and Yashunin (2020), *Efficient and Robust Approximate Nearest Neighbor
    Search Using Hierarchical Navigable Small World Graphs*. It misses some.

    Vectors are held in half precision, about their centre and of length 1 in the mean,
    so that neither an offset nor a scale takes the digits.

    Args:
        like: Float `(some, features)`, some of the vectors.
        by_cosines: Whether near is by the cosine; else by the squared distance.

    Raises:
        MissingExtraError: When usearch is not installed.
    """

    def __init__(self, like: np.ndarray, *, by_cosines: bool) -> None:
        if not is_installed("usearch"):
            raise MissingExtraError("an index of classes", "usearch", "index")
        from usearch.index import Index

        self._by_cosines = by_cosines
        self._centre, self._scale = np.zeros(like.shape[1], np.float32), 1.0
        if not by_cosines:
            self._centre = like.mean(axis=0, dtype=np.float64).astype(np.float32)
            spread = float(squares_of(like - self._centre).mean()) ** 0.5
            self._scale = 1.0 / spread if spread > 0.0 else 1.0
        self._index: Any = Index(
            ndim=like.shape[1],
            metric="ip" if by_cosines else "l2sq",
            dtype="f16",
            expansion_add=_EXPANSION_ADD,
            expansion_search=_EXPANSION_SEARCH,
        )

    def __len__(self) -> int:
        return len(self._index)

    def put(
        self,
        ids: np.ndarray,
        vectors: Callable[[np.ndarray], np.ndarray],
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Adds classes, or puts other vectors in the place of theirs.

        Args:
            ids: Int64 `(classes,)`, each once, above 0.
            vectors: From some of them to float `(some, features)`.
            on_progress: Called with the number of classes added, and of all.
        """
        self.remove(ids)
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            self._index.add(some.astype(np.uint64), self._held(vectors(some)))
            if on_progress is not None:
                on_progress(start + len(some), len(ids))

    def remove(self, ids: np.ndarray) -> None:
        """Removes classes, those that are there."""
        keys = ids.astype(np.uint64)
        if len(keys):
            keys = keys[np.asarray(self._index.contains(keys), bool)]
        if len(keys):
            self._index.remove(keys)

    def nearest(self, vectors: np.ndarray, count: int) -> np.ndarray:
        """Int64 `(queries, count)`: ids of near classes, -1 for none.

        Args:
            vectors: Float `(queries, features)`.
            count: How many to look for.
        """
        asked = self._held(vectors)
        # A single one is not put into threads.
        found = self._index.search(asked[0] if len(asked) == 1 else asked, count)
        ids = np.asarray(found.keys, np.int64).reshape(len(asked), -1)
        counts = np.reshape(getattr(found, "counts", ids.shape[1]), (-1, 1))
        return np.where(np.arange(ids.shape[1]) < counts, ids, -1)

    def _held(self, vectors: np.ndarray) -> np.ndarray:
        if self._by_cosines:
            return unit_rows(vectors).astype(np.float32)
        held = (vectors - self._centre) * np.float32(self._scale)
        return np.clip(held, -_LARGEST_HALF, _LARGEST_HALF)

    def save(
        self, folder: Path, of: Mapping[str, Any], change: int, recall: dict[str, float]
    ) -> None:
        """Puts it into a folder, in the place of another.

        Raises:
            OSError: When it cannot be written.
        """
        file = folder / f"index-{uuid.uuid4().hex[:8]}.usearch"
        try:
            with naming(file):
                try:
                    self._index.save(str(file))
                except RuntimeError as error:
                    raise OSError(str(error)) from error
                flush(file)
            description = Description(
                format_version=_FORMAT_VERSION,
                file=file.name,
                digest=_digest(file),
                of=dict(of),
                change=change,
                centre=self._centre.tolist(),
                scale=self._scale,
                recall=recall,
            )
            write_json(folder / INDEX_DESCRIPTION, description)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        for other in folder.glob("index-*.usearch"):
            if other != file:
                with contextlib.suppress(OSError):
                    other.unlink()

    def load(self, folder: Path, description: Description) -> bool:
        """Takes over what is in a folder, where it is whole.

        Returns:
            Whether it was: a file that somebody else has written would not be read
            safely.
        """
        file = folder / description["file"]
        try:
            if _digest(file) != description["digest"]:
                return False
            self._index.load(str(file))
            self._centre = np.array(description["centre"], np.float32)
            self._scale = description["scale"]
        except (OSError, RuntimeError):
            return False
        return True


def read_description(folder: Path) -> Description | None:
    """What is known of the index in a folder; `None` for none, or one that is damaged.

    Needs no usearch.
    """
    try:
        found: Description = read_json(folder / INDEX_DESCRIPTION, Description)
    except (OSError, ValueError):
        return None
    known = found["format_version"] == _FORMAT_VERSION
    return found if known and _FILE.fullmatch(found["file"]) else None


def index_recall(folder: Path) -> dict[int, float] | None:
    """The recall of the index in a folder by numbers of classes; `None` for none."""
    found = read_description(folder)
    return found and {int(at): share for at, share in found["recall"].items()}


def _digest(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with file.open("rb") as opened:
        while block := opened.read(2**20):
            digest.update(block)
    return digest.hexdigest()
