"""Features on disk: whole chunks, found by the content of examples."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import os
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.durable import put_in_place
from tfmeta.features.digests import DIGEST_BYTES

_LOG = logging.getLogger(__name__)

_SUFFIX = ".npy"
_ENTRY = np.dtype([("example", np.uint8, (DIGEST_BYTES,)), ("crc32", "<u4")])
_FEATURES = np.dtype("<f4")


def features_dir(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Where features are kept beside the data.

    Args:
        data_dir: Where data sets are kept, `None` for the default.
    """
    return resolve_data_dir(data_dir) / "features"


@dataclasses.dataclass(frozen=True)
class _Chunk:
    """A file of features: two arrays in NumPy's format, one behind the other.

    The first says of each row which example it is of, and a checksum; the second
    are the features, float32 `(rows, *features)`, which stay on disk.
    """

    path: Path
    entries: np.ndarray
    features: np.ndarray

    @classmethod
    def opened(cls, path: Path, of_example: tuple[int, ...]) -> _Chunk:
        """Opens a file of features of one shape.

        Raises:
            ValueError: When it is damaged.
        """
        read = np.lib.format
        with path.open("rb") as file:
            entries = read.read_array(file, allow_pickle=False)
            version = read.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"an array of format {version}")
            shape, fortran_order, dtype = read.read_array_header_1_0(file)
            begin = file.tell()
            # A map beyond the end of its file ends the process, not with an error.
            size = begin + dtype.itemsize * int(np.prod(shape))
            if os.fstat(file.fileno()).st_size != size:
                raise ValueError("a file of another length")
        if (
            entries.dtype != _ENTRY
            or dtype != _FEATURES
            or fortran_order
            or entries.shape != shape[:1]
            or shape[1:] != of_example
        ):
            raise ValueError(f"{entries.dtype} {entries.shape} and {dtype} {shape}")
        features = np.memmap(path, dtype, "r", begin, shape)
        return cls(path, entries, features)


class FeatureStore:
    """The features of one encoder, by the content of examples.

    Every file holds some rows and is written whole or not at all: after a kill all
    finished ones are of use. What is damaged is found by checksums, removed, and
    counts as not there. Several processes may read and write at once; the worst that
    happens is that two compute the same.

    Args:
        folder: Where features are kept, `features_dir()`, in a folder of the
            encoder's own.
        encoder: Digest of the encoder.
        shape: Shape of the features of one example.

    Example:

    ```python
    store = FeatureStore(features_dir(), encoder_digest(encoder), (1280,))
    store.add(example_digests(pictures), features)
    found = store.find(example_digests(pictures))  # row of `pictures`: features
    ```
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        encoder: str,
        shape: Sequence[int],
    ) -> None:
        self.folder = Path(folder) / encoder
        self.shape = tuple(shape)

    def find(self, digests: np.ndarray) -> FoundFeatures:
        """What is there of some examples.

        Args:
            digests: Uint8 `(examples, 16)`, as of `example_digests`.
        """
        wanted = set(map(bytes, digests))
        found: dict[bytes, tuple[_Chunk, int]] = {}
        for chunk in self._chunks():
            for number, digest in enumerate(chunk.entries["example"]):
                if bytes(digest) in wanted:
                    found[bytes(digest)] = (chunk, number)
        return FoundFeatures(found)

    def add(self, digests: np.ndarray, features: np.ndarray) -> None:
        """Keeps the features of some examples, in one file.

        Args:
            digests: Uint8 `(examples, 16)`.
            features: Float32 `(examples, *features)`, finite.

        Raises:
            OSError: When nothing can be written there.
        """
        features = np.ascontiguousarray(features, _FEATURES)
        entries = np.empty(len(features), _ENTRY)
        entries["example"] = digests
        entries["crc32"] = [zlib.crc32(row) for row in features]
        self.folder.mkdir(parents=True, exist_ok=True)
        # The same examples have one name: who computes them a second time replaces
        # what may be damaged, and two processes do no harm.
        name = hashlib.blake2b(digests.tobytes(), digest_size=DIGEST_BYTES).hexdigest()
        building = self.folder / f".{name}.{uuid.uuid4().hex}.tmp"
        try:
            with building.open("wb") as file:
                for array in (entries, features):
                    np.lib.format.write_array(
                        file, array, version=(1, 0), allow_pickle=False
                    )
            put_in_place(building, self.folder / f"{name}{_SUFFIX}")
        finally:
            building.unlink(missing_ok=True)

    def _chunks(self) -> Iterable[_Chunk]:
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            try:
                yield _Chunk.opened(path, self.shape)
            except FileNotFoundError:
                continue  # Another process found it damaged.
            except OSError as error:
                _LOG.warning("features cannot be read: %s", error)
            # A damaged header may ask for more than any memory.
            except (ValueError, EOFError, MemoryError, OverflowError) as error:
                _remove_damaged(path, str(error))


class FoundFeatures:
    """Where the features of examples are.

    Args:
        places: Of the digest of an example, the file and the row in it.
    """

    def __init__(self, places: Mapping[bytes, tuple[_Chunk, int]]) -> None:
        self._places = dict(places)

    def copy_to(self, digests: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Copies what is there.

        Args:
            digests: Uint8 `(examples, 16)`.
            out: Float32 `(examples, *features)`, where they are copied to.

        Returns:
            Bool `(examples,)`: which are there and as they were written.
        """
        rows: dict[Path, list[tuple[int, int]]] = {}
        chunks: dict[Path, _Chunk] = {}
        for row, digest in enumerate(digests):
            place = self._places.get(bytes(digest))
            if place is not None:
                chunk, number = place
                chunks[chunk.path] = chunk
                rows.setdefault(chunk.path, []).append((row, number))
        there = np.zeros(len(digests), bool)
        for path, pairs in rows.items():
            chunk = chunks[path]
            targets, numbers = np.array(pairs).T
            features = chunk.features[numbers]
            sums = np.array([zlib.crc32(row) for row in features], np.uint32)
            wrong = sums != chunk.entries["crc32"][numbers]
            if wrong.any():
                _remove_damaged(path, f"{wrong.sum()} rows with another checksum")
                continue
            out[targets] = features
            there[targets] = True
        return there


def _remove_damaged(path: Path, reason: str) -> None:
    _LOG.warning("%s is damaged (%s); its features are computed again", path, reason)
    with contextlib.suppress(OSError):
        path.unlink()
