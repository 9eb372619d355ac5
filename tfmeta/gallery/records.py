"""What a gallery holds: classes, examples, what they were made of, and changes."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

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
        return cls(kind, content, _digest(kind, content))


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
        return cls(path, _digest(cls.kind, path.read_bytes()))

    @property
    def content(self) -> bytes:
        """The bytes of the file.

        Raises:
            OSError: When it cannot be read.
            ValueError: When they are others than those that were embedded.
        """
        content = self.path.read_bytes()
        if _digest(self.kind, content) != self.digest:
            raise ValueError(
                f"{self.path} must stay as it is while it is enrolled. Received: "
                "another content than before; nothing was enrolled, try again"
            )
        return content


def _digest(kind: str, content: bytes) -> bytes:
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
