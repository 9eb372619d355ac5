"""An archive that was read and found complete, and whether it is the authors' own."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class CheckedArchive:
    """An archive on this machine that holds what its authors' archive holds.

    Args:
        path: The archive.
        content: What was found in it, e.g. `"964 characters, 19,280 pictures"`.
        sha256: Its checksum.
        official_sha256: The checksum of what its authors publish.
    """

    path: Path
    content: str
    sha256: str
    official_sha256: str

    @property
    def official(self) -> bool:
        """Whether this is the authors' archive, byte for byte."""
        return self.sha256 == self.official_sha256

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        if self.official:
            return ()
        return (
            f"{self.path.name} is complete ({self.content}) but not the authors' file "
            f"byte for byte: its SHA-256 is {self.sha256}, theirs "
            f"{self.official_sha256}.",
        )


def sha256_of(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
