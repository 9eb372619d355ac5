"""Reading pickles that come from somewhere else, without trusting them."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

from tfmeta.datasets.reading.pickle_machine import PickleMachine
from tfmeta.datasets.reading.pickle_operations import run

GIB = 2**30


def load_arrays(
    source: str | os.PathLike[str] | bytes, *, max_bytes: int = 16 * GIB
) -> Any:
    """Reads a pickle of plain values and NumPy arrays, and of nothing else.

    A pickle is a program: `pickle.load` imports and calls whatever it names.
    This one imports nothing and calls nothing. It knows the handful of names
    that stand for NumPy arrays, dtypes and scalars, for bytes and for sets, and
    builds those by itself; any other name is refused. All protocols (0 to 5)
    are read, as Python 2 and 3 and NumPy 1 and 2 write them.

    Large arrays are not read: they are laid over the file, which is mapped into
    memory, so that a pickle larger than memory opens too. Leave the file where
    it is as long as they are in use.

    Args:
        source: Path of the pickle, or its content.
        max_bytes: The most bytes that file and values may take, by an estimate
            that is rather too high.

    Returns:
        The value, made of dict, list, tuple, set, frozenset, str, bytes, int,
        float, bool, None, NumPy scalars and NumPy arrays of booleans, numbers,
        text, bytes or objects of these kinds. Strings of Python 2 become str of
        Latin-1, bytearrays bytes, `OrderedDict` and `defaultdict` dict. Arrays
        have the byte order of this machine and may be read-only. Keys, and
        elements of sets, are text, bytes, numbers, booleans, None and short, flat
        tuples of them.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file is no pickle, is truncated or damaged, is
            larger than allowed, or holds anything else. The message names the
            file and, where it is one, the class or function.

    Example:

    ```python
    stored = load_arrays("mini-imagenet-cache-train.pkl")
    stored["image_data"].shape  # (38400, 84, 84, 3)
    ```
    """
    if isinstance(source, bytes):
        return _read(f"of {len(source):,} bytes", source, max_bytes)
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"pickle {path} must be a file. Received: none there")
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # which cannot be mapped
            return _read(str(path), b"", max_bytes)
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return _read(str(path), content, max_bytes)


def _read(name: str, content: bytes | mmap.mmap, max_bytes: int) -> Any:
    position = 0
    try:
        machine = PickleMachine(content, max_bytes)
        try:
            return run(machine)
        finally:
            position = machine.position
    # What operations in an order that makes no sense can lead to.
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
    ) as error:
        expected = type(error) is ValueError
        received = str(error) if expected else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"pickle {name} must be a whole pickle of plain values and NumPy arrays. "
            f"Received: {received}, at byte {position:,}"
        ) from error
