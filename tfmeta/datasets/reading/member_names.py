"""What the members of an archive may be called."""

from __future__ import annotations

import re
from pathlib import Path

GIB = 2**30
# Less than this cannot do harm, however well it compresses; a plain white
# picture compresses a thousandfold.
RATIO_MATTERS_FROM = 2**20


class MemberNames:
    """Checks the members of one archive, one after the other.

    Args:
        path: The archive.
        max_bytes: The most bytes that all members together may unpack to.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._seen: set[str] = set()
        self._total = 0

    def add(self, name: str, size: int, problem: tuple[str, str] | None) -> None:
        """Takes the next member into account.

        Args:
            name: Its full name.
            size: The bytes that it says it unpacks to.
            problem: What else is accepted and what was found, if anything.

        Raises:
            ValueError: When the name is refused, or used a second time, when
                there is another problem and when the members are too large.
        """
        problem = _problem(name) or problem
        plain = "/".join(part for part in _parts(name) if part != ".")
        if problem is None and plain in self._seen:
            problem = "each name once", "the name a second time"
        if problem is not None:
            accepted, received = problem
            raise ValueError(
                f"archive {self._path}: member {name!r} is refused; accepted is "
                f"{accepted}. Received: {received}"
            )
        self._seen.add(plain)
        self._total += size
        if self._total > self._max_bytes:
            raise ValueError(
                f"archive {self._path} must not unpack to more than "
                f"{self._max_bytes:,} bytes. Received: {self._total:,} bytes or "
                f"more, at member {name!r}"
            )


def _problem(name: str) -> tuple[str, str] | None:
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "a path relative to the archive", "an absolute path"
    if ".." in _parts(name):
        return "a path inside the archive's folder", "a path that leaves it"
    if "\0" in name or "" in _parts(name):
        return "a plain path", "an empty part or a NUL in the name"
    return None


def _parts(name: str) -> list[str]:
    return name.replace("\\", "/").rstrip("/").split("/")
