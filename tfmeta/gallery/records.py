"""What a gallery holds: classes, examples, what they were made of, and changes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import overload

import numpy as np

_DIGEST_BYTES = 16


@dataclasses.dataclass(frozen=True)
class Original:
    """What an embedding was made of, to make another by another encoder.

    Attributes:
        kind: `"picture"` (the bytes of a file), `"text"` (UTF-8) or `"array"` (the
            bytes of a `.npy` file).
        content: Those bytes.
        digest: Of both, 16 bytes.
    """

    kind: str
    content: bytes
    digest: bytes

    @classmethod
    def of(cls, kind: str, content: bytes) -> Original:
        """That of a content, with its digest."""
        return cls(kind, content, digest_of(kind, content))


def digest_of(kind: str, content: bytes) -> bytes:
    """By what an original is known."""
    digest = hashlib.blake2b(kind.encode() + b"\0", digest_size=_DIGEST_BYTES)
    digest.update(content)
    return digest.digest()


@dataclasses.dataclass(frozen=True)
class NewExample:
    """An example to be enrolled.

    Attributes:
        embedding: Float32 `(*embedding,)`.
        source: Where it came from, for people: the name of a file, say.
        original: What it was made of, `None` to keep none.
    """

    embedding: np.ndarray
    source: str = ""
    original: Original | None = None


@dataclasses.dataclass(frozen=True)
class StoredClass:
    """A class as it is on disk.

    Attributes:
        id: Never given to another class.
        name: Its name.
        embeddings: Float32 `(examples, *embedding)`; none where it was removed.
        example_ids: Int64 `(examples,)`.
    """

    id: int
    name: str
    embeddings: np.ndarray
    example_ids: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class StoredClasses(Sequence[StoredClass]):
    """Classes as they are on disk, in a few arrays.

    Attributes:
        ids: Int64 `(classes,)`, ascending.
        names: Of each class.
        starts: Int64 `(classes + 1,)`: class `i` has the examples from `starts[i]` up
            to `starts[i + 1]`.
        embeddings: Float32 `(examples, *embedding)`, class by class; cannot be written.
        example_ids: Int64 `(examples,)`.
    """

    ids: np.ndarray
    names: Sequence[str]
    starts: np.ndarray
    embeddings: np.ndarray
    example_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> StoredClass: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[StoredClass]: ...

    def __getitem__(self, index: int | slice) -> StoredClass | Sequence[StoredClass]:
        """A class, whose arrays are views of those of all."""
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        part = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return StoredClass(
            int(self.ids[place]),
            self.names[place],
            self.embeddings[part],
            self.example_ids[part],
        )


@dataclasses.dataclass(frozen=True)
class StoredExample:
    """An example as it is listed.

    Attributes:
        id: Never given to another example.
        class_name: Its class.
        source: Where it came from.
        has_original: Whether what it was made of is kept.
    """

    id: int
    class_name: str
    source: str
    has_original: bool


@dataclasses.dataclass(frozen=True)
class Change:
    """A change that is on the disk.

    Attributes:
        number: From 1; later ones have higher numbers.
        kind: `"enrol"`, `"forget"`, `"rename"`, `"undo"`, `"re-embed"`, `"purge"` or
            `"set"`.
        what: What it did, in words.
        made_at: When, UTC, as ISO 8601.
        undone: Whether it was undone since.
    """

    number: int
    kind: str
    what: str
    made_at: str
    undone: bool = False
