"""What a gallery holds: classes, examples, what they were made of, and changes."""

from __future__ import annotations

import dataclasses

import numpy as np


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
        kind: `"enrol"`, `"forget"`, `"rename"`, `"undo"`, `"re-embed"` or `"purge"`.
        what: What it did, in words.
        made_at: When, UTC, as ISO 8601.
        undone: Whether it was undone since.
    """

    number: int
    kind: str
    what: str
    made_at: str
    undone: bool = False
