"""Tables on disk: round trips, resuming, and what is refused."""

import dataclasses
import errno
import functools
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_tables import (
    assert_same_table,
    encode,
    encoded,
    make_table,
    make_text_table,
)

from tfmeta.datasets.storage import building
from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.table_folder import (
    TableLayout,
    open_table,
    save_table,
    write_table,
)

LAYOUT = TableLayout("toy", ("a", "b"), (2, 3), (2,), "int16", source_digest="1")
VALUES = np.arange(10, dtype="int16").reshape(5, 2)


def items(order=range(5), values=VALUES, called=None):
    """Items of `LAYOUT`; notes in `called` which of them were loaded."""

    def load(row):
        if called is not None:
            called.append(row)
        value = values[row]
        if isinstance(value, Exception):
            raise value
        return value

    return ((row, functools.partial(load, row)) for row in order)


def written(path):
    return np.asarray(open_table(path).examples).tolist()


@pytest.mark.parametrize("memory_map", [True, False, None])
@pytest.mark.parametrize(
    "table",
    [
        make_table(),
        make_table(shape=(), dtype="float32"),
        make_table(shape=(7,), dtype="bool"),
        make_table().with_rotations(),
        encoded(make_table()),
        encoded(make_table(), "JPEG").take_classes([2, 0]),
        encoded(make_table()).with_rotations(),
        make_text_table(),
    ],
    ids=repr,
)
def test_saved_and_opened_is_the_same(table, memory_map, tmp_path):
    reports = []
    save_table(table, tmp_path / "t", on_progress=lambda *r: reports.append(r))
    opened = open_table(tmp_path / "t", memory_map=memory_map)
    assert_same_table(opened, table)
    n = table.num_examples
    assert reports == [(i + 1, n) for i in range(n)]
    assert os.listdir(tmp_path) == ["t"]


def test_where_the_examples_are(tmp_path):
    save_table(make_table(), tmp_path / "array")
    save_table(encoded(make_table()), tmp_path / "encoded")
    assert type(open_table(tmp_path / "array").examples) is np.ndarray
    mapped = open_table(tmp_path / "array", memory_map=True).examples
    assert isinstance(mapped, np.memmap) and not mapped.flags.writeable
    pictures = open_table(tmp_path / "encoded", memory_map=True).examples
    assert isinstance(pictures, EncodedPictures)
    assert isinstance(pictures.blob, np.memmap)
    assert type(open_table(tmp_path / "encoded").examples.blob) is np.ndarray


def test_a_large_table_is_mapped_by_itself(tmp_path, monkeypatch):
    save_table(make_table(), tmp_path / "t")
    size = sum(f.stat().st_size for f in (tmp_path / "t").glob("*.npy"))
    monkeypatch.setattr("tfmeta.datasets.storage.opening.MEMORY_MAP_FROM", size)
    assert isinstance(open_table(tmp_path / "t").examples, np.memmap)
    monkeypatch.setattr("tfmeta.datasets.storage.opening.MEMORY_MAP_FROM", size + 1)
    assert not isinstance(open_table(tmp_path / "t").examples, np.memmap)


@pytest.mark.parametrize(
    "make", [make_table, make_text_table, lambda: encoded(make_table())]
)
def test_other_bytes_than_were_written_are_refused(make, tmp_path):
    """Also those that make a table of their own, such as another letter of a text."""
    save_table(make(), tmp_path / "t")
    path = tmp_path / "t" / ("examples.npy" if make is make_table else "examples.bin")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"It is damaged.*{path.name} with checksum"):
        open_table(tmp_path / "t")


def test_tables_without_checksums_are_opened(tmp_path, monkeypatch):
    """Earlier versions wrote none, and there are none of what stays on disk."""
    save_table(make_table(), tmp_path / "t")
    header = tmp_path / "t" / "table.json"
    content = json.loads(header.read_text())
    assert set(content.pop("crc32")) == {"examples.npy"}
    header.write_text(json.dumps(content))
    table = open_table(tmp_path / "t")
    np.testing.assert_array_equal(table.examples, make_table().examples)
    monkeypatch.setattr("tfmeta.datasets.storage.building.MEMORY_MAP_FROM", 1)
    save_table(table, tmp_path / "large")
    assert "crc32" not in json.loads((tmp_path / "large" / "table.json").read_text())


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(5)), text=st.booleans())
def test_rows_come_in_any_order(order, text, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "t"
    values = ["", "ä", "b" * 9, "字", "x"] if text else VALUES
    layout = LAYOUT
    if text:
        layout = dataclasses.replace(LAYOUT, dtype="text", example_shape=())
    write_table(path, layout, items(order, values))
    np.testing.assert_array_equal(open_table(path).examples, values)


@pytest.mark.parametrize("kind", ["array", "text", "encoded pictures"])
def test_goes_on_after_an_error_without_loading_again(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "_MARK_EXAMPLES", 2)
    pictures = make_table((2, 3), (4, 4, 1)).examples
    layout, good = {
        "array": (LAYOUT, list(VALUES)),
        "text": (
            dataclasses.replace(LAYOUT, dtype="text", example_shape=()),
            ["ä", "", "b" * 70, "c", "字"],
        ),
        "encoded pictures": (
            dataclasses.replace(
                LAYOUT, dtype="encoded pictures", example_shape=(4, 4, 1)
            ),
            [encode(p) for p in pictures],
        ),
    }[kind]
    order = [3, 1, 4, 0, 2]
    bad = list(good)
    bad[0] = RuntimeError("cannot be loaded")
    called = []
    with pytest.raises(RuntimeError, match="cannot be loaded"):
        write_table(tmp_path / "t", layout, items(order, bad, called))
    assert called == [3, 1, 4, 0]
    assert not (tmp_path / "t").exists()

    called, reports = [], []
    write_table(
        tmp_path / "t",
        layout,
        items(order, good, called),
        on_progress=lambda *r: reports.append(r),
    )
    # Two were marked; the third was written but not known to be on disk.
    assert called == [4, 0, 2]
    assert reports == [(3, 5), (4, 5), (5, 5)]
    expected = pictures if kind == "encoded pictures" else good
    np.testing.assert_array_equal(open_table(tmp_path / "t").examples, expected)
    assert os.listdir(tmp_path) == ["t"]


@pytest.mark.parametrize("change", [{"source_digest": "2"}, {"name": "other"}])
def test_begins_anew_for_another_source(change, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "_MARK_EXAMPLES", 1)
    bad = [*VALUES[:4], RuntimeError("stop")]
    with pytest.raises(RuntimeError, match="stop"):
        write_table(tmp_path / "t", LAYOUT, items(values=bad))
    called = []
    layout = dataclasses.replace(LAYOUT, **change)
    write_table(tmp_path / "t", layout, items(values=VALUES + 1, called=called))
    assert called == [0, 1, 2, 3, 4]
    assert written(tmp_path / "t") == (VALUES + 1).tolist()


def test_saving_never_goes_on_with_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "_MARK_EXAMPLES", 1)
    one, other = make_table(seed=1), make_table(seed=2)

    def stop(done, of_all):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_table(one, tmp_path / "t", on_progress=stop)
    save_table(other, tmp_path / "t")
    assert_same_table(open_table(tmp_path / "t"), other)


@pytest.mark.parametrize("damage", ["journal.bin", "table/examples.npy"])
def test_progress_beyond_what_is_there_is_not_believed(damage, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "_MARK_EXAMPLES", 1)
    bad = [*VALUES[:4], RuntimeError("stop")]
    with pytest.raises(RuntimeError, match="stop"):
        write_table(tmp_path / "t", LAYOUT, items(values=bad))
    os.truncate(tmp_path / "t.building" / damage, 10)
    write_table(tmp_path / "t", LAYOUT, items())
    assert written(tmp_path / "t") == VALUES.tolist()


def test_data_are_on_disk_before_the_mark_says_so(tmp_path, monkeypatch):
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("the open files of a process are not to be seen here")
    flushed = []
    fsync = os.fsync

    def watched(descriptor):
        flushed.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write_table(tmp_path / "t", LAYOUT, items())
    mark = flushed.index(".tmp-progress.json", flushed.index("journal.bin"))
    assert flushed.index("examples.npy") < flushed.index("journal.bin") < mark
    # The table has its name last of all, and its own files before.
    assert flushed[-3:] == ["table.json", "table", tmp_path.name]


@pytest.mark.parametrize(
    ("order", "values", "message"),
    [
        ([0, 1, 2, 3], VALUES, "none for 1 of them, the first is 4"),
        ([0, 1, 1, 2, 3, 4], VALUES, "row 1 twice"),
        ([0, 1, 2, 3, 5], VALUES, "Received: row 5"),
        ([0, 1, -1], VALUES, "Received: row -1"),
        (range(5), VALUES.astype("int32"), "row 0 of .*int16.*Received: int32"),
        (range(5), VALUES[:, :1], r"of shape \(2,\). Received: int16 of shape \(1,\)"),
        (range(5), ["a"] * 5, "must be int16"),
    ],
)
def test_items_that_do_not_fit_are_named(order, values, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_table(tmp_path / "t", LAYOUT, items(order, values))
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("dtype", "shape", "value", "error", "message"),
    [
        ("text", (), b"a", TypeError, "must be a str. Received: bytes"),
        ("text", (), "\ud800", ValueError, "valid Unicode"),
        ("encoded pictures", (4, 4, 3), "a", TypeError, "must be bytes"),
        ("encoded pictures", (4, 4, 3), b"a", ValueError, "row 0 of .* JPEG or PNG"),
    ],
)
def test_examples_of_another_kind_are_named(
    dtype, shape, value, error, message, tmp_path
):
    layout = dataclasses.replace(LAYOUT, dtype=dtype, example_shape=shape)
    with pytest.raises(error, match=message):
        write_table(tmp_path / "t", layout, items(values=[value] * 5))


def test_another_order_when_resuming_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "_MARK_EXAMPLES", 1)
    bad = [*VALUES[:4], RuntimeError("stop")]
    with pytest.raises(RuntimeError, match="stop"):
        write_table(tmp_path / "t", LAYOUT, items(values=bad))
    with pytest.raises(ValueError, match="item 0 with row 0. Received: row 4"):
        write_table(tmp_path / "t", LAYOUT, items([4, 3, 2, 1, 0]))


@pytest.mark.parametrize("there", ["file", "folder", "table", "link"])
def test_nothing_is_overwritten(there, tmp_path, hash_tree):
    path = tmp_path / "t"
    {
        "file": path.touch,
        "folder": path.mkdir,
        "table": lambda: save_table(make_table(), path),
        "link": lambda: path.symlink_to("nowhere"),
    }[there]()
    before = hash_tree(tmp_path)
    with pytest.raises(FileExistsError, match="never overwritten"):
        write_table(path, LAYOUT, items())
    with pytest.raises(FileExistsError, match="never overwritten"):
        save_table(make_table(), path)
    assert hash_tree(tmp_path) == before


def test_what_a_kill_after_the_very_last_step_leaves_is_cleared(tmp_path):
    save_table(make_table(), tmp_path / "t")
    leftover = tmp_path / "t.building"
    leftover.mkdir()
    (leftover / "progress.json").write_text("{}")
    with pytest.raises(FileExistsError):
        save_table(make_table(), tmp_path / "t")
    assert os.listdir(tmp_path) == ["t"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such lock")
def test_two_do_not_write_one_table(tmp_path):
    inside, go_on = threading.Event(), threading.Event()

    def slow():
        for row, load in items():
            inside.set()
            go_on.wait(30)
            yield row, load

    first = threading.Thread(target=write_table, args=(tmp_path / "t", LAYOUT, slow()))
    first.start()
    inside.wait(30)
    with pytest.raises(OSError, match="by one process at a time"):
        write_table(tmp_path / "t", LAYOUT, items(values=VALUES + 1))
    go_on.set()
    first.join()
    assert written(tmp_path / "t") == VALUES.tolist()


def test_a_disk_that_is_too_small_is_said_before(tmp_path):
    layout = TableLayout("huge", ("a",), (10,), (2**40, 2**10), "float64")
    called = []
    with pytest.raises(OSError, match=r"needs 90,071,992,54[\d,]+ bytes") as error:
        write_table(tmp_path / "t", layout, items(called=called))
    assert error.value.errno == errno.ENOSPC and str(tmp_path / "t") in str(error.value)
    assert called == [] and not (tmp_path / "t").exists()


FULL_DISK = """
import os, subprocess
from tfmeta.datasets.storage import building
from tfmeta.datasets.storage.table_folder import TableLayout, open_table, write_table
os.mkdir("small")
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", "small"], check=True)
os.chdir("small")
building._MARK_EXAMPLES = 10
layout = TableLayout("texts", ("a",), (100,), (), "text")
def items(called):
    for row in range(100):
        yield row, lambda row=row: called.append(row) or 4096 * chr(97 + row % 26)
try:
    write_table("t", layout, items([]))
except OSError as error:
    print(error)
subprocess.run(["mount", "-o", "remount,size=2m", os.getcwd()], check=True)
called = []
write_table("t", layout, items(called))
print(called[0] > 0 and called == list(range(called[0], 100)))
texts = open_table("t").examples
print(all(t == 4096 * chr(97 + i % 26) for i, t in enumerate(texts)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a disk that can be full")
def test_a_disk_that_fills_up_is_named_and_gone_on_with(tmp_path):
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small disk can be mounted here")
    done = subprocess.run(
        [*unshare, sys.executable, "-c", FULL_DISK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    message, *rest = done.stdout.splitlines()
    assert "writing t needs about" in message and "which is full after" in message
    assert rest == ["True", "True"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "object"}, "'object' with"),
        ({"dtype": "nonsense"}, "'nonsense' with"),
        ({"dtype": "text"}, "'text' with"),
        ({"dtype": "encoded pictures"}, "'encoded pictures' with"),
        ({"example_shape": (0,)}, r"with \(0,\)"),
        ({"class_names": ("a", "a")}, "'a' twice"),
        ({"class_sizes": (5,)}, r"shape \(3,\)"),
        ({"class_sizes": (5, 0)}, "'b' with 0"),
        ({"groups": ("x",)}, "`groups`"),
        ({"origin_names": ("x",)}, "`origin_names`"),
    ],
)
def test_layouts_of_no_table_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(LAYOUT, **changes)


def edit(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize(
    ("make", "damage", "message"),
    [
        (make_table, lambda p: os.truncate(p / "examples.npy", 200), "200 bytes"),
        (make_table, lambda p: (p / "examples.npy").unlink(), "no file examples.npy"),
        (
            make_table,
            lambda p: edit(p / "examples.npy", b"'|u1'", b"'|i1'"),
            "int8 of shape",
        ),
        # An object array is a pickle, which could run code.
        (
            make_table,
            lambda p: edit(p / "examples.npy", b"'|u1'", b"'|O' "),
            "allow_pickle=False",
        ),
        (make_table, lambda p: os.truncate(p / "table.json", 90), "must be JSON"),
        (
            make_table,
            lambda p: edit(p / "table.json", b'"dtype"', b'"kind"'),
            "layout.dtype",
        ),
        (
            make_table,
            lambda p: edit(p / "table.json", b'"examples.npy"', b'"../examples.npy"'),
            "names the files",
        ),
        (
            make_text_table,
            lambda p: edit(p / "examples.bin", "字".encode(), b"\xff\xff\xff"),
            "codec can't decode",
        ),
        (
            make_text_table,
            lambda p: edit(p / "spans.npy", bytes(8), b"\xff" * 8),
            "`spans`",
        ),
        (
            lambda: encoded(make_table()),
            lambda p: os.truncate(p / "examples.bin", 99),
            "99 bytes",
        ),
        (
            lambda: encoded(make_table()),
            lambda p: edit(p / "spans.npy", bytes(8), b"\xff" * 8),
            "`spans`",
        ),
    ],
)
def test_damaged_tables_are_refused_by_name(make, damage, message, tmp_path):
    path = tmp_path / "t"
    save_table(make(), path)
    damage(path)
    with pytest.raises(ValueError, match="It is damaged") as error:
        open_table(path)
    assert message in str(error.value) and str(path) in str(error.value)


def test_tables_from_the_future_and_none_at_all(tmp_path):
    save_table(make_table(), tmp_path / "t")
    edit(tmp_path / "t" / "table.json", b'"format_version": 1', b'"format_version": 2')
    with pytest.raises(ValueError, match="from a newer tfmeta"):
        open_table(tmp_path / "t")
    with pytest.raises(FileNotFoundError, match="a folder without table.json"):
        open_table(tmp_path)
    with pytest.raises(FileNotFoundError, match="a path without table.json"):
        open_table(tmp_path / "absent")
