"""Files of PyTorch's legacy format, written without PyTorch."""

import pickle
from collections import OrderedDict

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 4}}


class Global:
    """What a pickle names and does not hold."""

    def __init__(self, module, name):
        self.path = (module, name)


FLOATS = Global("torch", "FloatStorage")
INTEGERS = Global("torch", "LongStorage")
REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


class Storage(tuple):
    """The fields of a persistent id."""


def storage(kind=FLOATS, key="0", count=6, *, view=None, tag="storage"):
    return Storage((tag, kind, key, "cpu", count, view))


class Call:
    """A function of a pickle, called with arguments."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        raise AssertionError("handled by the pickler")


class Pickler(pickle._Pickler):
    """The Python pickler of the library: it can be told to write any name."""

    def persistent_id(self, value):
        return tuple(value) if isinstance(value, Storage) else None

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Global):
            module, name = value.path
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        elif isinstance(value, Call):
            function, arguments = value.parts
            self.save(function)
            self.save(tuple(arguments))
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)


def pickled(value, file):
    Pickler(file, protocol=2).dump(value)


def tensor(of, shape, strides, *, offset=0, function=REBUILD):
    hooks = OrderedDict()
    return Call(function, of, offset, shape, strides, False, hooks)


def write_legacy(
    path, state, values, *, keys=None, magic=MAGIC, machine=MACHINE, counts=None
):
    """Writes a state, and the values of its storages by key, as PyTorch does."""
    counts = counts or {}
    with path.open("wb") as file:
        for part in (magic, PROTOCOL, machine, state, keys or sorted(values)):
            pickled(part, file)
        for key in keys or sorted(values):
            numbers = np.asarray(values[key])
            count = counts.get(key, len(numbers))
            file.write(int(count).to_bytes(8, "little", signed=True))
            file.write(numbers.tobytes())
    return path
