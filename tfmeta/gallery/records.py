"""What a gallery holds: classes, examples, what they were made of, and changes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

_DIGEST_BYTES = 16


class FactsChangedError(ValueError):
    """Another process has changed what a gallery is, so that a change does not fit."""


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
        """The original of a content."""
        return cls(kind, content, digest_of(kind, content))


@dataclasses.dataclass(frozen=True)
class OriginalFile:
    """The original in a file, which is not in memory while others are embedded.

    Attributes:
        path: The file of a picture.
        digest: Of its content when it was embedded.
    """

    path: Path
    digest: bytes

    kind = "picture"

    @classmethod
    def of(cls, path: Path) -> OriginalFile:
        """The original as the file is now.

        Raises:
            OSError: When it cannot be read.
        """
        return cls(path, digest_of(cls.kind, path.read_bytes()))

    @property
    def content(self) -> bytes:
        """The bytes of the file.

        Raises:
            OSError: When it cannot be read.
            ValueError: When they are others than those that were embedded.
        """
        content = self.path.read_bytes()
        if digest_of(self.kind, content) != self.digest:
            raise ValueError(
                f"{self.path} must stay as it is while it is enrolled. Received: "
                "another content than before; nothing was enrolled, try again"
            )
        return content


def digest_of(kind: str, content: bytes) -> bytes:
    """By what an original is known."""
    hashed = hashlib.blake2b(kind.encode() + b"\0", digest_size=_DIGEST_BYTES)
    hashed.update(content)
    return hashed.digest()


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
    original: Original | OriginalFile | None = None


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
        kind: `"enrol"`, `"forget"`, `"rename"`, `"undo"`, `"re-embed"`, `"settings"` or
            `"purge"`.
        what: What it did, in words.
        made_at: When, UTC, as ISO 8601.
        undone: Whether it was undone since.
    """

    number: int
    kind: str
    what: str
    made_at: str
    undone: bool = False
