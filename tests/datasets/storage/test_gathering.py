"""Taking examples out of a table in a graph, whatever they lie in."""

import gc
import io
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_tables import encode, encoded, make_table

from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.gathering import make_gather
from tfmeta.datasets.storage.rotated import RotatedExamples
from tfmeta.datasets.storage.selected import SelectedExamples
from tfmeta.datasets.storage.table_folder import open_table, save_table


def mapped(table, folder):
    save_table(table, folder)
    return open_table(folder, memory_map=True)


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    dtype=st.sampled_from(["uint8", "float32", "int64", "bool", "float16", "float64"]),
    shape=st.lists(st.integers(1, 4), max_size=3),
    begin=st.integers(0, 3),
)
def test_rows_of_any_shape_from_maps_of_any_kind(
    data, dtype, shape, begin, tmp_path_factory
):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("maps") / "examples.npy"
    np.save(path, rng.integers(0, 200, (8, *shape)).astype(dtype))
    # A part of a map does not begin where TensorFlow wants a tensor to.
    examples = np.load(path, mmap_mode="r")[begin:]
    rows = data.draw(
        st.lists(st.lists(st.integers(0, 7 - begin), min_size=2, max_size=2))
    )
    rows = np.asarray(rows, "int64").reshape(-1, 2)
    found = make_gather(examples)(tf.constant(rows))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), examples[rows])


@pytest.mark.parametrize("order", ["big-endian", "fortran"])
def test_maps_of_other_machines(order, tmp_path):
    examples = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    if order == "fortran":
        np.save(tmp_path / "e.npy", np.asfortranarray(examples))
    else:
        np.save(tmp_path / "e.npy", examples.astype(">f4"))
    gather = make_gather(np.load(tmp_path / "e.npy", mmap_mode="r"))
    found = gather(tf.constant([[3, 0]], tf.int64))
    np.testing.assert_array_equal(found.numpy(), examples[[[3, 0]]])


KINDS = {
    "memory": lambda table, path: table,
    "memory map": mapped,
    "encoded": lambda table, path: encoded(table),
    "selected": lambda table, path: mapped(table, path).take_classes([2, 0]),
    "rotated": lambda table, path: encoded(table).with_rotations(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows_shape", [(), (0,), (5,), (2, 3), (1, 2, 2)])
def test_static_shape_and_values_in_a_graph(kind, rows_shape, tmp_path):
    examples = KINDS[kind](make_table(), tmp_path / "t").examples
    rows = np.arange(np.prod(rows_shape, dtype=int)).reshape(rows_shape)
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec(rows_shape, tf.int64)])
    def gathered(rows):
        result = make_gather(examples)(rows)
        shapes.append(result.shape)
        return result

    found = gathered(tf.constant(rows))
    assert shapes[-1] == (*rows_shape, 5, 5, 3)
    np.testing.assert_array_equal(found.numpy(), np.asarray(examples)[rows])
    np.testing.assert_array_equal(
        make_gather(examples)(tf.constant(rows)).numpy(), np.asarray(examples)[rows]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_unknown_number(kind, tmp_path):
    examples = KINDS[kind](make_table(), tmp_path / "t").examples
    gather = make_gather(examples)
    spec = tf.TensorSpec([2, None], tf.int64)
    gathered = tf.function(gather, input_signature=[spec])
    assert gathered.get_concrete_function().output_shapes.as_list() == [
        2,
        None,
        5,
        5,
        3,
    ]
    for rows in ([[1], [0]], [[3, 2, 1], [0, 0, 6]]):
        np.testing.assert_array_equal(
            gathered(tf.constant(rows, tf.int64)).numpy(), np.asarray(examples)[rows]
        )


def test_text_becomes_strings():
    texts = ["ein Satz", "", "字\n", "\U0001f600"]
    table = ClassTable.from_arrays("texts", texts, ["a", "a", "b", "b"])
    found = make_gather(table.examples)(tf.constant([[3, 0], [2, 1]], tf.int64))
    assert found.dtype == tf.string and found.shape == (2, 2)
    assert [[t.decode() for t in line] for line in found.numpy()] == [
        ["\U0001f600", "ein Satz"],
        ["字\n", ""],
    ]


def test_the_map_stays_as_long_as_it_is_needed(tmp_path):
    table = mapped(make_table(), tmp_path / "t")
    expected = np.array(table.examples[[3, 1]])
    gather = make_gather(table.examples)
    del table
    gc.collect()
    np.testing.assert_array_equal(gather(tf.constant([3, 1], tf.int64)), expected)


def test_a_map_is_not_written_to(tmp_path):
    table = mapped(make_table(), tmp_path / "t")
    content = (tmp_path / "t" / "examples.npy").read_bytes()
    gather = make_gather(table.examples)
    tf.function(lambda rows: gather(rows) + 1)(tf.constant([3, 1], tf.int64))
    assert (tmp_path / "t" / "examples.npy").read_bytes() == content


def test_other_types_are_named():
    with pytest.raises(TypeError, match="`examples` must be .* Received: list"):
        make_gather([1, 2])


def test_a_row_of_a_damaged_picture_is_an_error():
    table = encoded(make_table((2, 2)))
    pictures = table.examples
    blob = np.array(pictures.blob)
    begin, end = pictures.spans[2]
    blob[begin + 20 : end] = 0
    gather = make_gather(EncodedPictures(blob, pictures.spans, (5, 5, 3)))
    assert gather(tf.constant([0, 1], tf.int64)).shape == (2, 5, 5, 3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        gather(tf.constant([2], tf.int64))


SMALL_IN_MEMORY = """
import sys
import numpy as np
import tensorflow as tf
from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.gathering import make_gather

def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(l.split()[1]) for l in lines if l.startswith("RssAnon")) / 1024

examples = np.load(sys.argv[1], mmap_mode="r")
names = tuple(map(str, range(80)))
table = ClassTable("large", examples, np.arange(0, 40_001, 500), names)
before = anonymous()
for table in (table, table.take_classes(range(9, 70)), table.with_rotations()):
    numbers = tf.data.Dataset.range(20_000).batch(10, drop_remainder=True)
    for batch in numbers.map(make_gather(table.examples)).take(3):
        assert batch.shape == (10, 64, 64, 3) and not batch.numpy().any()
print(anonymous() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_map_stays_on_disk(tmp_path):
    # Two gigabytes of zeros that take no room on the disk.
    header = io.BytesIO()
    description = {"descr": "<f4", "fortran_order": False, "shape": (40_000, 64, 64, 3)}
    np.lib.format.write_array_header_1_0(header, description)
    with (tmp_path / "sparse.npy").open("wb") as file:
        file.write(header.getvalue())
        file.truncate(len(header.getvalue()) + 4 * 40_000 * 64 * 64 * 3)
    done = subprocess.run(
        [sys.executable, "-c", SMALL_IN_MEMORY, str(tmp_path / "sparse.npy")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300, "MiB of memory of its own"


# JPEGs whose pixels Pillow and TensorFlow decode by themselves.
def assert_decoded_alike(files, shape):
    pictures = EncodedPictures.from_files(files, shape)
    found = make_gather(pictures)(tf.range(len(files), dtype=tf.int64)).numpy()
    np.testing.assert_array_equal(found, np.asarray(pictures))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_both_decoders_make_the_same_of_a_jpeg(subsampling, progressive):
    rng = np.random.default_rng(0)
    for height, width in ((8, 8), (17, 31), (84, 84), (1, 5)):
        noise = rng.integers(0, 256, (3, height, width, 3), np.uint8)
        smooth = np.cumsum(noise, axis=1, dtype=np.uint8)
        files = [
            encode(
                picture,
                "JPEG",
                quality=quality,
                subsampling=subsampling,
                progressive=progressive,
            )
            for picture in (*noise, *smooth)
            for quality in (5, 50, 75, 95, 100)
        ]
        assert_decoded_alike(files, (height, width, 3))


def test_both_decoders_make_the_same_of_grey():
    grey = np.random.default_rng(0).integers(0, 256, (4, 19, 23, 1), np.uint8)
    for kind in ("JPEG", "PNG"):
        files = [encode(picture, kind) for picture in grey]
        assert_decoded_alike(files, (19, 23, 1))
        assert_decoded_alike(files, (19, 23, 3))


@pytest.mark.parametrize(
    ("archive", "shape"),
    [
        ("miniimagenet/miniimagenet_84x84_jpeg.tar.gz", (84, 84, 3)),
        ("tieredimagenet/tiered_classes_tiny64_jpeg.tar.gz", (64, 64, 3)),
    ],
)
def test_both_decoders_make_the_same_of_real_jpegs(archive, shape, reference_data):
    files = []
    with tarfile.open(reference_data / archive, "r|gz") as members:
        for number, member in enumerate(members):
            if member.isfile() and number % 7 == 0:
                files.append(members.extractfile(member).read())
            if len(files) == 500:
                break
    assert_decoded_alike(files, shape)


def test_rotations_of_selections_are_those_of_numpy():
    pictures = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 2), np.uint8)
    rows, turns = np.array([5, 0, 0, 3, 2]), np.array([3, 1, 2, 0, 1])
    examples = RotatedExamples(SelectedExamples(pictures, rows), turns)
    expected = [np.rot90(pictures[r], k) for r, k in zip(rows, turns, strict=True)]
    found = make_gather(examples)(tf.range(5, dtype=tf.int64)).numpy()
    np.testing.assert_array_equal(found, expected)
