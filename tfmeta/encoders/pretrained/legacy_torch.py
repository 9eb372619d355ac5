"""Reading PyTorch's legacy weight files, without PyTorch and without trusting them."""

from __future__ import annotations

import io
import math
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MIB = 2**20
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def read_legacy_state(
    path: str | os.PathLike[str], *, max_bytes: int = 512 * MIB
) -> dict[str, np.ndarray]:
    """Reads the state dict of a `.pth` file of PyTorch's legacy format.

    The file is pickles in sequence (a magic number, the protocol, what machine wrote
    it, the state, the keys of its storages), then for each key an int64 count and
    the values. A pickle is a program: this reader knows the four names that a state
    of floats and integers needs, gives each a meaning of its own, and refuses every
    other. No tensor is laid over more than its storage.

    Args:
        path: The file.
        max_bytes: The most bytes that the file, and that all tensors together, may
            have.

    Returns:
        Float32 and int64 arrays by name, in the order of the file.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file is of another format, truncated, damaged or larger
            than allowed, names anything else, or holds NaN or infinity. The message
            names the file.

    Example:

    ```python
    read_legacy_state("efficientnet-lite0-57934424.pth")["_conv_stem.weight"].shape
    # (32, 3, 3, 3)
    ```
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(
            f"weights {str(file)!r} must be a file. Received: none there"
        )
    try:
        size = file.stat().st_size
        if size > max_bytes:
            raise ValueError(f"{size:,} bytes, more than {max_bytes:,}")
        return _read_state(io.BytesIO(file.read_bytes()), size, max_bytes)
    # What pickles of operations in an order that makes no sense can lead to.
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        expected = type(error) in (ValueError, pickle.UnpicklingError)
        received = str(error) if expected else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"weights {str(file)!r} must be a whole state dict of finite numbers in "
            f"PyTorch's legacy format. Received: {received}"
        ) from error


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    numbers: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


# What a pickle can name. Without a `__dict__` or a `__setstate__`, there is nothing
# in them that its BUILD operation could change.
class _FloatStorage:
    __slots__ = ()
    dtype = np.dtype("<f4")


class _LongStorage:
    __slots__ = ()
    dtype = np.dtype("<i8")


class _NewDict:
    __slots__ = ()

    def __call__(self) -> OrderedDict:
        return OrderedDict()


class _RebuildTensor:
    __slots__ = ()

    def __call__(
        self,
        storage: Any,
        offset: Any,
        shape: Any,
        strides: Any,
        requires_grad: Any,
        hooks: Any,
    ) -> _Tensor:
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without a storage")
        sizes = (offset, *_sizes(shape), *_sizes(strides))
        if len(shape) != len(strides) or not all(_is_size(size) for size in sizes):
            raise ValueError(f"a tensor of shape {shape!r} and strides {strides!r}")
        numbers = math.prod(shape)
        last = offset + sum(
            (n - 1) * step for n, step in zip(shape, strides, strict=True)
        )
        # A step of 0 would lay many numbers over few.
        if numbers > storage.numbers or (numbers and last >= storage.numbers):
            raise ValueError(
                f"a tensor of shape {shape!r}, strides {strides!r} and offset "
                f"{offset} beyond its storage of {storage.numbers} numbers"
            )
        return _Tensor(storage, offset, tuple(shape), tuple(strides))


_GLOBALS = {
    ("collections", "OrderedDict"): _NewDict(),
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch", "FloatStorage"): _FloatStorage(),
    ("torch", "LongStorage"): _LongStorage(),
}


class _StateUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = _GLOBALS.get((module, name))
        if known is None:
            raise pickle.UnpicklingError(f"the name {module}.{name}")
        return known

    def persistent_load(self, reference: Any) -> _Storage:
        if not isinstance(reference, tuple) or len(reference) != 6:
            raise ValueError("a storage that is none")
        kind, storage, key, _, count, view = reference
        if kind != "storage" or not isinstance(storage, _FloatStorage | _LongStorage):
            raise ValueError("a storage of another kind")
        if not isinstance(key, str) or not _is_size(count) or view is not None:
            raise ValueError("a storage without a key and a size")
        return _Storage(key, storage.dtype, count)


def _read_state(
    file: io.BytesIO, file_bytes: int, max_bytes: int
) -> dict[str, np.ndarray]:
    if _unpickle(file) != _MAGIC or _unpickle(file) != _PROTOCOL:
        raise ValueError("another format, or another version of it")
    machine = _unpickle(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("numbers that are not little-endian")
    state, keys = _unpickle(file), _unpickle(file)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, _Tensor)
        for name, tensor in state.items()
    ):
        raise ValueError("something else than tensors by name")
    total = sum(
        math.prod(tensor.shape) * tensor.storage.dtype.itemsize
        for tensor in state.values()
    )
    if total > max_bytes:
        raise ValueError(f"tensors of {total:,} bytes, more than {max_bytes:,}")
    storages = {tensor.storage.key: tensor.storage for tensor in state.values()}
    if any(tensor.storage != storages[tensor.storage.key] for tensor in state.values()):
        raise ValueError("one storage of two kinds or sizes")
    if not isinstance(keys, list) or sorted(keys) != sorted(storages):
        raise ValueError("storages that are not those of its tensors")
    values = {key: _read_values(file, storages[key]) for key in keys}
    if file.tell() != file_bytes:
        raise ValueError(f"{file_bytes - file.tell():,} bytes behind its end")
    return {name: _laid_over(values, name, tensor) for name, tensor in state.items()}


def _unpickle(file: io.BytesIO) -> Any:
    return _StateUnpickler(file).load()


def _read_values(file: io.BytesIO, storage: _Storage) -> np.ndarray:
    count = int.from_bytes(file.read(8), "little", signed=True)
    if count != storage.numbers:
        raise ValueError(f"a storage of {count} numbers in place of {storage.numbers}")
    content = file.read(count * storage.dtype.itemsize)
    if len(content) != count * storage.dtype.itemsize:
        raise ValueError(f"an end within storage {storage.key!r}")
    return np.frombuffer(content, storage.dtype)


def _laid_over(values: dict[str, np.ndarray], name: str, tensor: _Tensor) -> np.ndarray:
    storage = values[tensor.storage.key]
    view = np.lib.stride_tricks.as_strided(
        storage[tensor.offset :],
        tensor.shape,
        [step * storage.itemsize for step in tensor.strides],
        writeable=False,
    )
    array = np.array(view, view.dtype.newbyteorder("="), order="C")
    if not np.isfinite(array).all():
        raise ValueError(f"NaN or infinity in {name!r}")
    return array


def _sizes(values: Any) -> tuple[Any, ...]:
    if not isinstance(values, tuple | list):
        raise ValueError(f"{values!r} in place of a shape")
    return tuple(values)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**40
