"""The stack machine of pickles, without its power to import and to call.

Restricting `pickle.Unpickler.find_class` stops code, but not files that take the
process down: five bytes make its memo 64 GiB large, a megabyte of nested tuples
used as a key overflows the C stack, and sixty tuples that hold the one before
twice would hash for centuries. Here every length is compared with the file, and
every key is looked at before it is hashed.
"""

from __future__ import annotations

import mmap
from typing import Any


class PickleMachine:
    """Reads one pickle.

    Args:
        content: The pickle.
        max_bytes: The most bytes that its values may take, by an estimate that
            is rather too high.
    """

    def __init__(self, content: bytes | mmap.mmap, max_bytes: int) -> None:
        self.position = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._outer_stacks: list[list[Any]] = []
        self._content = content
        self._view = memoryview(content)
        self._max_bytes = max_bytes
        self._left = max_bytes
        self.charge(len(content))

    @property
    def rest(self) -> int:
        """The number of bytes that are left."""
        return len(self._view) - self.position

    def charge(self, count: int) -> None:
        """Counts bytes of memory."""
        self._left -= count
        if self._left < 0:
            raise ValueError(f"more than {self._max_bytes:,} bytes of values")

    def take(self, count: int) -> memoryview:
        """The next bytes of the file."""
        start, end = self.position, self.position + count
        if not start <= end <= len(self._view):
            raise ValueError(f"an end before {count:,} bytes that should be there")
        self.position = end
        return self._view[start:end]

    def counted(self, size: int, signed: bool = False) -> memoryview:
        """The bytes behind their count, which is an integer of `size` bytes."""
        return self.take(int.from_bytes(self.take(size), "little", signed=signed))

    def line(self) -> bytes:
        """The bytes up to the end of the line."""
        end = self._content.find(b"\n", self.position)
        if end < 0:
            raise ValueError("an end within a line")
        line = bytes(self.take(end - self.position))
        self.position += 1
        return line

    def mark(self) -> None:
        """Puts the stack aside and begins another."""
        self._outer_stacks.append(self.stack)
        self.stack = []

    def pop_to_mark(self) -> list[Any]:
        """Goes back to the stack before."""
        items, self.stack = self.stack, self._outer_stacks.pop()
        return items

    def top(self, kind: type) -> Any:
        """What is on top of the stack, which must be of a type."""
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"no {kind.__name__} where one must be")
        return self.stack[-1]
