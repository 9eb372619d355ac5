import base64
import collections
import copyreg
import functools
import json
import operator
import os
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.datasets.reading.unpickling import load_arrays

PROTOCOLS = range(6)

atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.binary(min_size=1200, max_size=1300)
)
keys = (
    st.integers(-(2**63), 2**64 - 1)
    | st.text()
    | st.binary()
    | st.tuples(st.text(), st.none() | st.booleans())
)
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(keys, inner)
        | st.sets(keys)
        | st.frozensets(keys)
    ),
    max_leaves=20,
)

ARRAYS = {
    "bytes": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "large": np.arange(3000, dtype=np.int16),
    "by column": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "sliced": np.arange(24.0).reshape(4, 6)[::2, 1::2],
    "other byte order": np.array([1, 2, 300], ">i4"),
    "complex": np.array([1 + 2j]),
    "half": np.array([0.5, np.inf, np.nan], np.float16),
    "booleans": np.array([[True, False]]),
    "text": np.array(["one", "zwölf", ""]),
    "byte strings": np.array([b"one", b""]),
    "no dimension": np.array(3.5),
    "empty": np.zeros((0, 3), np.float32),
    "objects": np.array(["one", None, (1, [2.0])], object),
}


class Call:
    """Pickles as a call of anything."""

    def __init__(self, called, *arguments, state=None):
        self.reduced = (called, arguments) + (() if state is None else (state,))

    def __reduce__(self):
        return self.reduced


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def array(shape, dtype, content, order=b"\x89"):
    """The operations that make an array, of parts that need not fit."""
    return (
        name("numpy.core.multiarray", "_reconstruct")
        + name("numpy", "ndarray")
        + b"K\x00\x85C\x01b\x87R(K\x01"
        + shape
        + dtype
        + order
        + content
        + b"tb"
    )


def dtype(code, order="<", parts=b"NNN"):
    made = name("numpy", "dtype") + text(code) + b"\x89\x88\x87R"
    return made + b"(K\x03" + text(order) + parts + b"J\xff\xff\xff\xffK\x00K\x00tb"


def typed(value):
    """A value with the types of all its parts, which 1 == 1.0 == True hides."""
    if isinstance(value, list | tuple):
        return type(value), [typed(v) for v in value]
    if isinstance(value, dict):
        return dict, [(typed(k), typed(v)) for k, v in value.items()]
    if isinstance(value, set | frozenset):
        return type(value), sorted(repr(v) for v in value)
    return type(value), value


def refused(content, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_arrays(content)
    assert "must be a whole pickle" in str(caught.value)


@settings(max_examples=80, deadline=None)
@given(values, st.sampled_from(PROTOCOLS))
def test_plain_values_come_back(value, protocol):
    content = pickle.dumps(value, protocol)
    found, expected = load_arrays(content), pickle.loads(content)
    assert found == expected == value
    assert typed(found) == typed(expected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_come_back(kind, protocol):
    stored = ARRAYS[kind]
    found = load_arrays(pickle.dumps({"array": stored}, protocol))["array"]
    assert type(found) is np.ndarray
    assert found.dtype == stored.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, stored)
    expected = pickle.loads(pickle.dumps(stored, protocol))
    assert found.strides == expected.strides


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_of_numpy_come_back(protocol):
    stored = [np.float32(0.1), np.int64(-3), np.bool_(True), np.str_("a"), np.uint8(9)]
    found = load_arrays(pickle.dumps([*stored, {np.int64(3): "key"}], protocol))
    assert found == [*stored, {3: "key"}]
    assert [type(n) for n in found[:-1]] == [type(n) for n in stored]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_shared_or_holds_itself(protocol):
    shared = [1]
    value = {"a": shared, "b": shared, "array": np.arange(5)}
    value["again"], value["self"] = value["array"], value
    found = load_arrays(pickle.dumps(value, protocol))
    assert found["a"] is found["b"]
    assert found["array"] is found["again"]
    assert found["self"] is found
    inner = []
    inner.append((inner,))
    (held,) = load_arrays(pickle.dumps(inner, protocol))
    assert held[0][0] is held


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dictionaries_of_other_kinds_become_plain(protocol):
    default = collections.defaultdict(list, {"a": [1]})
    ordered = collections.OrderedDict(b=2, a=1)
    found = load_arrays(pickle.dumps([default, ordered], protocol))
    assert found == [{"a": [1]}, {"b": 2, "a": 1}]
    assert [type(d) for d in found] == [dict, dict]
    assert list(found[1]) == ["b", "a"]


def test_bytearrays_become_bytes():
    assert load_arrays(pickle.dumps(bytearray(b"abc"), 5)) == b"abc"


@pytest.mark.parametrize("protocol", ["protocol 0", "protocol 1", "protocol 2"])
def test_what_python_2_wrote(protocol):
    # Written by Python 2.7.18 with NumPy 1.16.6, cPickle.dumps(value, protocol).
    stored = Path(__file__).with_name("python2_pickles.json").read_text()
    content = zlib.decompress(base64.b64decode(json.loads(stored)[protocol]))
    found = load_arrays(content)
    expected = pickle.loads(content, encoding="latin1")
    assert repr(found) == repr(expected)
    np.testing.assert_array_equal(
        found["image_data"], 20 * np.arange(12).reshape(3, 2, 2)
    )
    np.testing.assert_array_equal(found["large"], np.tile(np.arange(256), 8))
    assert found["class_dict"] == {"n01532829": [0, 1, 2], "café": [3, -(2**70)]}
    assert found["text"] == "café"
    np.testing.assert_array_equal(found["float"], [1.5, -2.0])
    np.testing.assert_array_equal(found["strings"], [b"ab", b"c"])
    np.testing.assert_array_equal(found["unicode"], ["été"])
    assert found["tuple"] == (True, False, None, {1})


def test_a_file_is_laid_under_its_arrays(tmp_path):
    path = tmp_path / "pictures.pkl"
    pictures = np.random.default_rng(0).integers(0, 256, (50, 84, 84, 3), np.uint8)
    path.write_bytes(pickle.dumps({"image_data": pictures, "words": ["a"]}, 4))
    for source in (path, str(path)):
        found = load_arrays(source)
        np.testing.assert_array_equal(found["image_data"], pictures)
        assert not found["image_data"].flags.owndata
        assert not found["image_data"].flags.writeable


NESTED = Call(os.system, "touch HARMED")
HOSTILE = {
    "os.system": NESTED,
    "eval": Call(eval, "open('HARMED', 'w')"),
    "exec": Call(exec, "open('HARMED', 'w')"),
    "open": Call(open, "HARMED", "w"),
    "attrgetter": operator.attrgetter("system"),
    "partial": functools.partial(os.system, "touch HARMED"),
    "numpy.load": Call(np.load, "HARMED", None, True),
    "numpy.save": Call(np.save, "HARMED", np.zeros(1)),
    "numpy.fromfile": Call(np.fromfile, "HARMED"),
    "memmap": Call(np.memmap, "HARMED", "uint8", "w+", 0, (10,)),
    "in a list": [1, [NESTED]],
    "in a tuple": (1, (NESTED,)),
    "as a key": {"a": 1, (1, 2): {"b": NESTED}},
    "in an array": np.array([None, NESTED], object),
    "as a state": Call(list, state=[NESTED]),
    "class": os.PathLike,
    "path": Path("HARMED"),
    "datetime": np.zeros(2, "M8[s]"),
    "structure": np.zeros(2, [("a", "i4"), ("b", "f8")]),
    "dtype alone": np.dtype("i4"),
    "masked": np.ma.masked_array([1], [True]),
    "complex": 1 + 2j,
    "huge array": Call(np.zeros, (2**40,)),
    "recarray": np.recarray(2, [("a", "i4")]),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("kind", HOSTILE)
def test_refuses_everything_else(kind, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps(HOSTILE[kind], protocol))
    with pytest.raises(ValueError) as caught:
        load_arrays(path)
    assert str(caught.value).startswith(f"pickle {path} must be a whole pickle of")
    assert [p.name for p in tmp_path.iterdir()] == ["hostile.pkl"]


@pytest.mark.parametrize("module", ["os", "posix", "nt", "numpy.core.multiarray"])
@pytest.mark.parametrize("attribute", ["system", "eval", "load", "x.y"])
def test_names_what_it_refuses(module, attribute):
    message = f"class or function '{module}.{attribute}', which is refused"
    refused(name(module, attribute) + text("ls") + b"\x85R.", message)
    called = b"\x8c" + bytes([len(module)]) + module.encode()
    called += b"\x8c" + bytes([len(attribute)]) + attribute.encode()
    refused(b"\x80\x04" + called + b"\x93.", message)
    refused(f"(i{module}\n{attribute}\n.".encode(), message)


def test_names_cannot_be_hidden():
    # By an extension code, and by the memo.
    copyreg.add_extension("os", "system", 0x7FFF)
    try:
        assert pickle.loads(b"\x80\x02\x83\xff\x7f.") is os.system
        refused(b"\x80\x02\x83\xff\x7f.", "operation EXT2, which is refused")
    finally:
        copyreg.remove_extension("os", "system", 0x7FFF)
    text_in_memo = text("os") + b"q\x000" + text("system") + b"q\x010"
    refused(b"\x80\x04" + text_in_memo + b"h\x00h\x01\x93.", "'os.system'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Pkey\n.", "operation PERSID, which is refused"),
        (b"K\x01Q.", "operation BINPERSID, which is refused"),
        (b"K\x01\x82\x01.", "operation EXT1"),
        (name("builtins", "set") + b")\x81.", "operation NEWOBJ"),
        (name("builtins", "set") + b")}\x92.", "operation NEWOBJ_EX"),
        (b"(" + name("builtins", "set") + b"o.", "operation OBJ"),
        (b"\x80\x05\x97.", "operation NEXT_BUFFER"),
        (b"\x80\x05C\x01a\x98.", "operation READONLY_BUFFER"),
        (b"]2.", "operation DUP"),
        (b"\xff.", "operation 0xff"),
        (b"\x80\x06N.", "protocol 6"),
        (b"]]b.", "a state for a list"),
        (b"}" + name("numpy", "dtype") + b"b.", "a state for a dict"),
        (name("numpy", "ndarray") + b".", "class numpy.ndarray by itself"),
        (name("numpy", "ndarray") + b"K\x01\x85R.", "a call of numpy.ndarray"),
        (name("builtins", "list") + b")R.", "a call of builtins.list"),
        (name("builtins", "bytes") + b"K\x09\x85R.", "bytes made from something"),
        (name("builtins", "set") + b"K\x09\x85R.", "a set that is made from no list"),
        (b"N)R.", "a call of what is no function"),
        (name("builtins", "set") + b"NR.", "a call of what is no function"),
        (name("_codecs", "encode") + text("a") + text("rot13") + b"\x86R.", "Latin-1"),
        (
            name("_codecs", "encode") + text("字") + text("latin1") + b"\x86R.",
            "ordinal",
        ),
        (b"K\x01K\x02a.", "no list where one must be"),
        (b"K\x01K\x02K\x03s.", "no dict where one must be"),
        (b"}(K\x01u.", "zip"),
        (b"}]K\x01s.", "a list as a key"),
        (b"}}K\x01s.", "a dict as a key"),
        (b"h\x00.", "KeyError: 0"),
        (b"0.", "IndexError"),
        (b"1.", "IndexError"),
        (b"t.", "IndexError"),
        (b".", "IndexError"),
        (b"q\x00.", "IndexError"),
        (b"\x85.", "a tuple of more than there is"),
        (b"K\x01K\x02\x93.", "a class whose name is no text"),
        (b"Ione\n.", "invalid literal"),
        (b"I" + b"1" * 5000 + b"\n.", "5,000 digits"),
        (b"L" + b"1" * 5000 + b"L\n.", "5,001 digits"),
        (b"Fone\n.", "could not convert"),
        (b"Sone\n.", "without its quotes"),
        (b"S'one\n.", "without its quotes"),
        (b"S'\\x0'\n.", "escape"),
        (b"X\x01\x00\x00\x00\xff.", "utf-8"),
        (b"K\x01.more", "4 bytes behind its end"),
        (b"", "an end before 1 bytes"),
        (b"\x89PNG\r\n\x1a\n", "must be"),
        (b"PK\x03\x04", "must be"),
        (b"hello", "must be"),
    ],
)
def test_refuses_operations_that_make_no_sense(content, message):
    refused(content, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array(b"K\x04\x85", dtype("u1"), b"C\x03abc"), "3 bytes for an array"),
        (array(b"K\x04\x85", dtype("u1"), b"C\x05abcde"), "5 bytes for an array"),
        (array(b"K\x01\x85", dtype("O8", "|"), b"C\x08abcdefgh"), "a list of them"),
        (array(b"K\x02\x85", dtype("O8", "|"), b"]"), "2 objects without a list"),
        (array(b"K\x01\x85", dtype("u1"), b"]"), "whose content is no bytes"),
        (array(b"J\xff\xff\xff\xff\x85", dtype("u1"), b"C\x00"), "no tuple of lengths"),
        (array(b"G" + bytes(8) + b"\x85", dtype("u1"), b"C\x00"), "no tuple of length"),
        (array(b"]", dtype("u1"), b"C\x00"), "no tuple of lengths"),
        (array(b"(" + b"K\x00" * 65 + b"t", dtype("u1"), b"C\x00"), "no tuple of"),
        (
            array(b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85", dtype("u1"), b"C\x00"),
            "no tuple of lengths",
        ),
        (
            array(b"\x8a\x06" + bytes(5) + b"\x01\x85", dtype("f8"), b"C\x08abcdefgh"),
            "8 bytes for an array of shape",
        ),
        (array(b"K\x01\x85", dtype("b1", "|"), b"C\x01\x02"), "other than 0 and 1"),
        (array(b"K\x01\x85", b"N", b"C\x01a"), "without a dtype"),
        (array(b"K\x01\x85", dtype("V8", "|"), b"C\x08abcdefgh"), "dtype 'V8'"),
        (array(b"K\x01\x85", dtype("i4,O", "|"), b"C\x0cabcdefghijkl"), "'i4,O'"),
        (array(b"K\x01\x85", dtype("i4", "<", b"N(t}"), b"C\x04abcd"), "with parts"),
        (array(b"K\x01\x85", dtype("i4", "?"), b"C\x04abcd"), "with parts"),
        (array(b"K\x01\x85", dtype("S0", "|"), b"C\x00"), "itemsize"),
        (array(b"K\x01\x85", dtype("u1"), b"C\x01a")[:-1] + b"0", "before it is"),
        (array(b"K\x01\x85", dtype("u1"), b"C\x01a")[:-2] + b"K\x00tb", "five parts"),
        (
            array(b"K\x01\x85", dtype("u1"), b"C\x01a")
            + array(b"K\x01\x85", dtype("u1"), b"C\x01a").split(b"\x87R", 1)[1],
            "filled twice",
        ),
        (
            name("numpy.core.multiarray", "_reconstruct")
            + name("numpy", "dtype")
            + b"K\x00\x85C\x01b\x87R",
            "none of class numpy.ndarray",
        ),
        (
            name("numpy.core.multiarray", "scalar") + dtype("O8", "|") + b"N\x86R",
            "1 objects without a list",
        ),
        (
            name("numpy.core.numeric", "_frombuffer")
            + b"(C\x01a"
            + dtype("u1")
            + b"K\x01\x85"
            + text("A")
            + b"tR",
            "in the order 'A'",
        ),
        (
            name("numpy.core.numeric", "_frombuffer")
            + b"(C\x01a"
            + dtype("u1")
            + b"K\x01\x85"
            + text("K")
            + b"K\x05\x85tR",
            "AxisError|axis",
        ),
    ],
)
def test_refuses_arrays_whose_parts_do_not_fit(content, message):
    refused(content + b".", message)


def test_the_memo_is_no_larger_than_what_is_in_it():
    assert load_arrays(b"\x80\x02]r\xff\xff\xff\xff.") == []
    assert load_arrays(b"]p99999999999999\n.") == []


@pytest.mark.parametrize(
    "operation",
    [
        b"T",
        b"B",
        b"X",
        b"\x8b",
        b"\x8d",
        b"\x8e",
        b"\x96",
        b"\x95",
        b"U",
        b"C",
        b"\x8a",
    ],
)
def test_lengths_are_compared_with_the_file(operation):
    refused(operation + b"\xff\xff\xff\x7f\xff\xff\xff\x7f.", "an end before")
    refused(operation + b"\xff" * 8 + b".", "an end before")


@pytest.mark.parametrize(
    ("tuples", "message"),
    [
        # A million tuples, each in the next: their hash overflows the C stack.
        (b")" + b"\x85" * 10**6, "nested more than 64 deep"),
        # Sixty tuples, each with the one before twice: their hash takes 2**60.
        (b")" + b"q\x00h\x00\x86" * 60, "a tuple as a key"),
        (b"(" + b"K\x00" * 100 + b"t", "a tuple as a key"),
        (b"\x8a\x09" + b"\xff" * 8 + b"\x1f", "a int as a key"),
    ],
)
def test_keys_are_looked_at_before_they_are_hashed(tuples, message):
    refused(b"}" + tuples + b"Ns.", message)
    refused(
        b"\x8f(" + tuples + b"\x90.",
        message.replace("as a key", "in a set") if "nested" in message else message,
    )
    refused(b"(" + tuples + b"\x91.", message)
    refused(name("builtins", "set") + b"](" + tuples + b"e\x85R.", message)


def test_lists_may_be_nested_without_end():
    found = load_arrays(b"]" * 10**5 + b"a" * (10**5 - 1) + b".")
    for _ in range(10**5 - 1):
        (found,) = found
    assert found == []


@pytest.mark.parametrize("operation", [b"\x8f\x94", b"}\x94", b"N", b")"])
def test_a_small_file_does_not_become_large(operation):
    content = b"(" + operation * 10**5 + b"t."
    with pytest.raises(ValueError, match="more than 10,000,000 bytes of values"):
        load_arrays(content, max_bytes=10**7)
    assert len(load_arrays(content, max_bytes=10**8)) == 10**5


@pytest.mark.parametrize(
    "repeated",
    [
        # Bytes, a set, and an array of objects, of what is in the memo.
        name("_codecs", "encode") + b"h\x00h\x01\x86R",
        name("builtins", "set") + b"h\x02\x85R",
        array(b"\x4d\xe8\x03\x85", dtype("O8", "|"), b"h\x02"),
    ],
)
def test_what_is_made_again_and_again_is_counted(repeated):
    text_, numbers = text("x" * 10**4), b"](" + b"K\x01" * 1000 + b"e"
    memo = text_ + b"q\x000" + text("latin1") + b"q\x010" + numbers + b"q\x020"
    content = memo + b"(" + repeated * 1000 + b"t."
    with pytest.raises(ValueError, match="more than 8,000,000 bytes of values"):
        load_arrays(content, max_bytes=8 * 10**6)


def test_arrays_share_what_is_in_the_memo():
    raw = b"B" + struct.pack("<I", 10**6) + bytes(10**6)
    one = array(b"J" + struct.pack("<i", 10**6) + b"\x85", dtype("u1"), b"h\x00")
    found = load_arrays(raw + b"q\x000(" + one * 100 + b"t.", max_bytes=10**7)
    assert sum(a.nbytes for a in found) == 10**8


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_truncated_files_are_refused(protocol, tmp_path):
    value = {"array": np.arange(5), "text": ["ä", b"b", 1.5, (2, 3)], "many": {1, 2}}
    content = pickle.dumps(value, protocol)
    path = tmp_path / "cut.pkl"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="cut.pkl must be a whole pickle"):
            load_arrays(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pkl must be a file"):
        load_arrays(tmp_path / "none.pkl")
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path)


def test_files_larger_than_allowed_are_refused(tmp_path):
    path = tmp_path / "large.pkl"
    path.write_bytes(pickle.dumps(bytes(1000), 4))
    with pytest.raises(ValueError, match="large.pkl.*more than 999 bytes"):
        load_arrays(path, max_bytes=999)
