"""The operations of pickles, of protocols 0 to 5."""

from __future__ import annotations

import codecs
import pickle
import pickletools
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from tfmeta.datasets.reading.pickle_machine import PickleMachine
from tfmeta.datasets.reading.pickled_arrays import PickledArray, PickledDtype
from tfmeta.datasets.reading.pickled_names import named
from tfmeta.datasets.reading.pickled_values import (
    Global,
    Payload,
    PickledTuple,
    key,
    plain,
)

# An operation takes a byte of the file or more and makes at most one object:
# what the largest of them, an empty set that is kept in the memo, takes.
_BYTES_AN_OPERATION = 320
# Shorter contents are not worth an object that refers to the file.
_STAYS_IN_FILE_FROM = 1024
# As Python's own limit; longer numbers take time by the square.
_MAX_DIGITS = 4300

_Operation = Callable[[PickleMachine], Any]


def run(machine: PickleMachine) -> Any:
    """Reads a pickle to its end.

    Args:
        machine: The machine that has it.

    Returns:
        The value.

    Raises:
        ValueError: For whatever is not accepted; also IndexError, KeyError,
            TypeError and AttributeError for operations that make no sense.
    """
    while True:
        operation = machine.take(1)[0]
        machine.charge(_BYTES_AN_OPERATION)
        if operation == pickle.STOP[0]:
            break
        perform = _OPERATIONS.get(operation)
        if perform is None:
            raise ValueError(f"operation {_name(operation)}, which is refused")
        perform(machine)
    if machine.rest:
        raise ValueError(f"{machine.rest:,} bytes behind its end")
    return plain(machine.stack.pop())


def _name(operation: int) -> str:
    names = {known.code: known.name for known in pickletools.opcodes}
    return names.get(chr(operation), f"0x{operation:02x}")


def _protocol(machine: PickleMachine) -> None:
    protocol = machine.take(1)[0]
    if protocol > 5:
        raise ValueError(f"protocol {protocol}")


def _frame(machine: PickleMachine) -> None:
    start = machine.position
    machine.counted(8)
    machine.position = start + 8  # what the frame holds is read as ever


def _pop(machine: PickleMachine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_to_mark()


def _push(make: Callable[[PickleMachine], Any]) -> _Operation:
    def push(machine: PickleMachine) -> None:
        value = make(machine)  # first, as it may go back to the stack before
        machine.stack.append(value)

    return push


def _number(layout: str) -> _Operation:
    parts = struct.Struct(layout)
    return _push(lambda machine: parts.unpack(machine.take(parts.size))[0])


def _bytes(size: int) -> _Operation:
    def read(machine: PickleMachine) -> Payload | bytes:
        view = machine.counted(size)
        long = len(view) >= _STAYS_IN_FILE_FROM
        return Payload(view, is_text=False) if long else bytes(view)

    return _push(read)


def _python_2_string(size: int) -> _Operation:
    def read(machine: PickleMachine) -> Payload | str:
        view = machine.counted(size, signed=size == 4)
        long = len(view) >= _STAYS_IN_FILE_FROM
        return Payload(view, is_text=True) if long else str(view, "latin1")

    return _push(read)


def _unicode(size: int) -> _Operation:
    return _push(lambda m: _charged(m, str(m.counted(size), "utf-8", "surrogatepass")))


def _charged(machine: PickleMachine, text: str) -> str:
    machine.charge(0 if text.isascii() else 4 * len(text))
    return text


def _integer(size: int) -> _Operation:
    return _push(
        lambda machine: int.from_bytes(
            machine.counted(size, signed=size == 4), "little", signed=True
        )
    )


def _integer_line(machine: PickleMachine) -> int:
    line = machine.line()
    if len(line) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(line):,} digits")
    if line in (b"00", b"01"):  # the only ones with a zero in front
        return line == b"01"
    return int(line.removesuffix(b"L"))


def _string_line(machine: PickleMachine) -> str:
    line = machine.line().strip()
    if len(line) < 2 or line[0] != line[-1] or line[:1] not in (b"'", b'"'):
        raise ValueError("a string without its quotes")
    content, _ = codecs.escape_decode(line[1:-1])
    return content.decode("latin1")


def _unicode_line(machine: PickleMachine) -> str:
    return _charged(machine, str(machine.line(), "raw-unicode-escape"))


def _put(index: Callable[[PickleMachine], int]) -> _Operation:
    def put(machine: PickleMachine) -> None:
        machine.memo[index(machine)] = machine.stack[-1]

    return put


def _get(index: Callable[[PickleMachine], int]) -> _Operation:
    return _push(lambda machine: machine.memo[index(machine)])


def _append(machine: PickleMachine) -> None:
    item = plain(machine.stack.pop())
    machine.top(list).append(item)


def _append_all(machine: PickleMachine) -> None:
    items = machine.pop_to_mark()
    machine.top(list).extend(map(plain, items))


def _set_item(machine: PickleMachine) -> None:
    value, name = machine.stack.pop(), machine.stack.pop()
    machine.top(dict)[key(name)] = plain(value)


def _set_items(machine: PickleMachine) -> None:
    pairs = _dictionary(machine.pop_to_mark())
    machine.top(dict).update(pairs)


def _dictionary(items: list[Any]) -> dict[Any, Any]:
    pairs = zip(items[::2], items[1::2], strict=True)
    return {key(name): plain(value) for name, value in pairs}


def _add_all(machine: PickleMachine) -> None:
    items = machine.pop_to_mark()
    machine.top(set).update(map(key, items))


def _last(count: int) -> _Operation:
    def read(machine: PickleMachine) -> PickledTuple:
        if len(machine.stack) < count:
            raise ValueError("a tuple of more than there is")
        return PickledTuple([machine.stack.pop() for _ in range(count)][::-1])

    return _push(read)


def _class_line(machine: PickleMachine) -> Global:
    module, name = machine.line(), machine.line()
    return named(f"{module.decode()}.{name.decode()}")


def _class(machine: PickleMachine) -> Global:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("a class whose name is no text")
    return named(f"{module}.{name}")


def _instance_line(machine: PickleMachine) -> None:
    raise ValueError(f"an instance of {_class_line(machine)}")


def _reduce(machine: PickleMachine) -> Any:
    arguments, called = machine.stack.pop(), machine.stack.pop()
    if not isinstance(called, Global) or not isinstance(arguments, PickledTuple):
        raise ValueError("a call of what is no function")
    # Unlike other operations, these may copy what is in the memo, at no length
    # in the file.
    machine.charge(
        sum(_BYTES_AN_OPERATION * len(a) for a in arguments.items if type(a) is list)
    )
    value = called.build(arguments.items)
    if isinstance(value, bytes):
        machine.charge(len(value))
    elif isinstance(value, np.ndarray):
        _charge_copy(machine, value)
    return value


def _build(machine: PickleMachine) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if not isinstance(target, PickledArray | PickledDtype):
        raise ValueError(f"a state for a {type(target).__name__}")
    target.build(state)
    if isinstance(target, PickledArray):
        _charge_copy(machine, target.plain())


def _charge_copy(machine: PickleMachine, array: np.ndarray) -> None:
    lies_in = array if array.base is None else array.base
    copied = isinstance(lies_in, np.ndarray) and lies_in.flags.owndata
    if copied or array.dtype == bool:  # whose content was looked through
        machine.charge(array.nbytes)


_OPERATIONS: dict[int, _Operation] = {
    code[0]: operation
    for code, operation in {
        pickle.PROTO: _protocol,
        pickle.FRAME: _frame,
        pickle.MARK: PickleMachine.mark,
        pickle.POP: _pop,
        pickle.POP_MARK: PickleMachine.pop_to_mark,
        pickle.NONE: _push(lambda _: None),
        pickle.NEWTRUE: _push(lambda _: True),
        pickle.NEWFALSE: _push(lambda _: False),
        pickle.INT: _push(_integer_line),
        pickle.LONG: _push(_integer_line),
        pickle.BININT: _number("<i"),
        pickle.BININT1: _number("<B"),
        pickle.BININT2: _number("<H"),
        pickle.LONG1: _integer(1),
        pickle.LONG4: _integer(4),
        pickle.FLOAT: _push(lambda machine: float(machine.line())),
        pickle.BINFLOAT: _number(">d"),
        pickle.STRING: _push(_string_line),
        pickle.SHORT_BINSTRING: _python_2_string(1),
        pickle.BINSTRING: _python_2_string(4),
        pickle.SHORT_BINBYTES: _bytes(1),
        pickle.BINBYTES: _bytes(4),
        pickle.BINBYTES8: _bytes(8),
        pickle.BYTEARRAY8: _bytes(8),
        pickle.UNICODE: _push(_unicode_line),
        pickle.SHORT_BINUNICODE: _unicode(1),
        pickle.BINUNICODE: _unicode(4),
        pickle.BINUNICODE8: _unicode(8),
        pickle.EMPTY_LIST: _push(lambda _: []),
        pickle.LIST: _push(lambda machine: [*map(plain, machine.pop_to_mark())]),
        pickle.APPEND: _append,
        pickle.APPENDS: _append_all,
        pickle.EMPTY_DICT: _push(lambda _: {}),
        pickle.DICT: _push(lambda machine: _dictionary(machine.pop_to_mark())),
        pickle.SETITEM: _set_item,
        pickle.SETITEMS: _set_items,
        pickle.EMPTY_SET: _push(lambda _: set()),
        pickle.ADDITEMS: _add_all,
        pickle.FROZENSET: _push(lambda m: frozenset(map(key, m.pop_to_mark()))),
        pickle.EMPTY_TUPLE: _last(0),
        pickle.TUPLE1: _last(1),
        pickle.TUPLE2: _last(2),
        pickle.TUPLE3: _last(3),
        pickle.TUPLE: _push(lambda machine: PickledTuple(machine.pop_to_mark())),
        pickle.PUT: _put(lambda machine: int(machine.line()[:20])),
        pickle.BINPUT: _put(lambda machine: machine.take(1)[0]),
        pickle.LONG_BINPUT: _put(lambda m: int.from_bytes(m.take(4), "little")),
        pickle.MEMOIZE: _put(lambda machine: len(machine.memo)),
        pickle.GET: _get(lambda machine: int(machine.line()[:20])),
        pickle.BINGET: _get(lambda machine: machine.take(1)[0]),
        pickle.LONG_BINGET: _get(lambda m: int.from_bytes(m.take(4), "little")),
        pickle.GLOBAL: _push(_class_line),
        pickle.STACK_GLOBAL: _push(_class),
        pickle.INST: _instance_line,
        pickle.REDUCE: _push(_reduce),
        pickle.BUILD: _build,
    }.items()
}
