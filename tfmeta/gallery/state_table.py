"""The parts of a state that are of many classes, in one table each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Numbers of rows are made a multiple of it; rows that stand for no class are zeros.
ROWS_TOGETHER = 64
# What TensorFlow asks of memory that it takes as it is.
_ALIGNMENT = 64
# Room for more, of what there is: all that is there is copied when it is used up.
_GROWTH = 1.25


class StateTable:
    """Rows of classes in order of their ids, changed in place.

    A class keeps its row when it is removed, so that the rows of others stay where
    they are, until a half of all are of no class.

    Attributes:
        layout: Another number whenever rows have moved.
    """

    def __init__(self) -> None:
        self.layout = 0
        self._count = self._room = 0
        self._ids, self._present = np.empty(0, np.int64), np.empty(0, bool)
        self._parts: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        """Number of classes that are present."""
        return int(np.count_nonzero(self.present))

    @property
    def ids(self) -> np.ndarray:
        """Int64 `(rows,)`, ascending."""
        return self._ids[: self._count]

    @property
    def present(self) -> np.ndarray:
        """Bool `(rows,)`, False for a class that was removed."""
        return self._present[: self._count]

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """The parts, `(rows, *part)`; views."""
        return {name: part[: self._count] for name, part in self._parts.items()}

    def memory(self, name: str) -> np.ndarray:
        """A part with the rows of zeros that follow, a multiple of `ROWS_TOGETHER`."""
        return self._parts[name]

    def slots(self, ids: np.ndarray) -> np.ndarray:
        """The rows of classes, those that have one."""
        slots = np.searchsorted(self.ids, ids)
        return slots[np.append(self.ids, -1)[slots] == ids]

    def reserve(self, ids: np.ndarray) -> np.ndarray:
        """Gives classes rows, where they have none.

        Args:
            ids: Int64, each once.

        Returns:
            The rows of these classes, to be written next.
        """
        slots = np.searchsorted(self.ids, ids)
        there = slots < self._count
        there[there] = self._ids[slots[there]] == ids[there]
        if not there.all():
            self._insert(np.sort(ids[~there]))
            slots = np.searchsorted(self.ids, ids)
        self.present[slots] = True
        return slots

    def write(self, slots: np.ndarray, rows: Mapping[str, np.ndarray]) -> None:
        """Writes the parts of some rows, `(slots, *part)` each."""
        for name, values in rows.items():
            if name not in self._parts:
                self._parts[name] = aligned_zeros(
                    (self._room, *values.shape[1:]), values.dtype
                )
            self._parts[name][slots] = values

    def remove(self, ids: np.ndarray) -> np.ndarray:
        """Removes classes, those that are there; returns the rows that they had."""
        slots = self.slots(ids)
        self.present[slots] = False
        left = np.flatnonzero(self.present)
        if 2 * len(left) < self._count:
            self._move(np.arange(len(left)), len(left), left)
            return np.empty(0, np.int64)
        return slots

    def _insert(self, new: np.ndarray) -> None:
        count, total = self._count, self._count + len(new)
        if count and new[0] < self._ids[count - 1]:
            order = np.argsort(np.concatenate([self.ids, new]), kind="stable")
            self._move(np.flatnonzero(order < count), total)
            self._ids[np.flatnonzero(order >= count)] = new
            return
        if total > self._room:
            self._move(np.arange(count), total)
        self._ids[count:total] = new
        self._present[count:total] = False
        self._count = total

    def _move(
        self, places: np.ndarray, count: int, kept: np.ndarray | slice = slice(None)
    ) -> None:
        """Puts rows at other places, in memory with room for more.

        Args:
            places: Int, of each row that is kept.
            count: Number of rows from then on.
            kept: Which rows.
        """
        self._room = rounded_up(int(_GROWTH * count))
        for name, part in self.parts.items():
            moved = aligned_zeros((self._room, *part.shape[1:]), part.dtype)
            moved[places] = part[kept]
            self._parts[name] = moved
        ids, present = np.zeros(self._room, np.int64), np.zeros(self._room, bool)
        ids[places], present[places] = self.ids[kept], self.present[kept]
        self._ids, self._present, self._count = ids, present, count
        self.layout += 1


def rounded_up(rows: int) -> int:
    """The next multiple of `ROWS_TOGETHER`."""
    return -(-rows // ROWS_TOGETHER) * ROWS_TOGETHER


def aligned_zeros(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
    """Zeros that NumPy and TensorFlow can both see where they are."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
