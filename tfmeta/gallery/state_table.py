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
        ids: Int64 `(rows,)`, ascending.
        present: Bool `(rows,)`, False for a class that was removed.
        layout: Another number whenever rows have moved.
    """

    def __init__(self) -> None:
        self.ids = np.empty(0, np.int64)
        self.present = np.empty(0, bool)
        self.layout = 0
        self._parts: dict[str, np.ndarray] = {}
        self._room = 0

    def __len__(self) -> int:
        """Number of classes that are present."""
        return int(np.count_nonzero(self.present))

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """The parts, `(rows, *part)`; views."""
        return {name: part[: len(self.ids)] for name, part in self._parts.items()}

    def memory(self, name: str) -> np.ndarray:
        """A part with the rows of zeros that follow, a multiple of `ROWS_TOGETHER`."""
        return self._parts[name]

    def slots(self, ids: np.ndarray) -> np.ndarray:
        """The rows of classes that have one."""
        return np.searchsorted(self.ids, ids)

    def reserve(self, ids: np.ndarray) -> np.ndarray:
        """Gives classes rows, where they have none.

        Args:
            ids: Int64, each once.

        Returns:
            The rows of these classes, to be written next.
        """
        new = np.setdiff1d(ids, self.ids)
        if len(new):
            self._insert(new)
        slots = self.slots(ids)
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
        slots = self.slots(np.intersect1d(ids, self.ids))
        self.present[slots] = False
        if 2 * np.count_nonzero(self.present) < len(self.ids):
            self._take(np.flatnonzero(self.present), 0)
            return np.empty(0, np.int64)
        return slots

    def _insert(self, new: np.ndarray) -> None:
        count, total = len(self.ids), len(self.ids) + len(new)
        if count and new[0] < self.ids[-1]:
            order = np.argsort(np.concatenate([self.ids, new]), kind="stable")
            self._take(order, len(new))
            self.ids[np.flatnonzero(order >= count)] = new
        else:
            if total > self._room:
                self._take(np.arange(count), len(new))
            else:
                self.ids = np.concatenate([self.ids, new])
                self.present = np.concatenate([self.present, np.zeros(len(new), bool)])
            self.ids[count:] = new

    def _take(self, order: np.ndarray, more: int) -> None:
        """Puts rows into another order, in memory with room for more.

        Args:
            order: Numbers of rows; those beyond the last are new.
            more: How many rows follow where `order` does not name them.
        """
        count = len(self.ids)
        old = order < count
        total = len(order) + (more if old.all() else 0)
        places = np.flatnonzero(old)
        self._room = rounded_up(int(_GROWTH * total))
        for name, part in self._parts.items():
            moved = aligned_zeros((self._room, *part.shape[1:]), part.dtype)
            moved[places] = part[order[old]]
            self._parts[name] = moved
        ids, present = np.zeros(total, np.int64), np.zeros(total, bool)
        ids[places], present[places] = self.ids[order[old]], self.present[order[old]]
        self.ids, self.present = ids, present
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
