import io
import shutil
import zipfile
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tfmeta.datasets import load
from tfmeta.datasets.omniglot.importing import import_omniglot
from tfmeta.datasets.omniglot.lake_runs import load_lake_runs, runs_path, write_runs
from tfmeta.datasets.omniglot.pictures import size_path
from tfmeta.datasets.omniglot.runs_archive import RUNS_ARCHIVE, read_runs_archive
from tfmeta.datasets.storage.table_folder import open_table


@pytest.fixture
def source(reference_data):
    return reference_data / "omniglot"


@pytest.fixture(scope="module")
def full_size(lake_dir):
    return load_lake_runs(data_dir=lake_dir, size=105)


@pytest.fixture(scope="module")
def members(reference_data):
    with zipfile.ZipFile(reference_data / "omniglot" / RUNS_ARCHIVE) as archive:
        return {n: archive.read(n) for n in archive.namelist() if n[-1] != "/"}


@pytest.fixture
def write_archive(tmp_path):
    def write_archive(members):
        path = tmp_path / "source" / RUNS_ARCHIVE
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return write_archive


def ink(content):
    """The ink of a PNG file, 255 on 0."""
    return 255 - np.asarray(Image.open(io.BytesIO(content)).convert("L"))


def png(size=(105, 105), colour=1):
    buffer = io.BytesIO()
    Image.new("1", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures_and_answers_are_those_of_the_files(full_size, members):
    assert full_size.support.shape == full_size.query.shape == (20, 20, 105, 105, 1)
    assert full_size.labels.shape == (20, 20)
    for run in range(20):
        lines = members[f"run{run + 1:02d}/class_labels.txt"].decode().split("\n")
        answers = dict(line.split() for line in lines if line)
        for item in range(20):
            test = f"run{run + 1:02d}/test/item{item + 1:02d}.png"
            np.testing.assert_array_equal(
                full_size.query[run, item, ..., 0], ink(members[test])
            )
            answer = full_size.support[run, full_size.labels[run, item], ..., 0]
            np.testing.assert_array_equal(answer, ink(members[answers[test]]))


def test_each_picture_is_a_drawing_of_the_character_that_it_is_said_to_be(
    full_size, source
):
    drawings = defaultdict(set)
    with zipfile.ZipFile(source / "images_evaluation.zip") as archive:
        wanted = {name for names in full_size.class_names for name in names}
        for member in archive.namelist():
            character = member.removeprefix("images_evaluation/").rpartition("/")[0]
            if member.endswith(".png") and character in wanted:
                drawings[character].add(ink(archive.read(member)).tobytes())
    assert {len(pixels) for pixels in drawings.values()} == {20}
    for run, names in enumerate(full_size.class_names):
        assert {name.split("/")[0] for name in names} == {full_size.alphabets[run]}
        assert len(set(names)) == 20
        for way, name in enumerate(names):
            (item,) = np.flatnonzero(full_size.labels[run] == way)
            support, query = full_size.support[run, way], full_size.query[run, item]
            assert {support.tobytes(), query.tobytes()} <= drawings[name]
            assert support.tobytes() != query.tobytes()


def test_two_runs_each_are_of_the_same_characters(full_size):
    assert len(set(full_size.alphabets)) == 10
    assert full_size.class_names[::2] == full_size.class_names[1::2]
    assert full_size.alphabets[::2] == full_size.alphabets[1::2]
    assert len(full_size.origins) == 200


def test_small_pictures_and_origins_are_those_of_the_data_set(lake_dir, omniglot_dir):
    runs = load_lake_runs(data_dir=lake_dir)
    assert runs.size == 28
    test = load("omniglot", split="test", protocol="lake", data_dir=omniglot_dir)
    assert runs.origins < set(test.origins)
    place = {name: index for index, name in enumerate(test.class_names)}
    for run in (0, 7, 19):
        for way, name in enumerate(runs.class_names[run]):
            drawings = {d.tobytes() for d in test.examples_of(place[name])}
            (item,) = np.flatnonzero(runs.labels[run] == way)
            assert runs.support[run, way].tobytes() in drawings
            assert runs.query[run, item].tobytes() in drawings


def test_no_protocol_but_lakes_keeps_the_characters_apart(lake_dir, omniglot_dir):
    origins = load_lake_runs(data_dir=lake_dir).origins
    options = {"data_dir": omniglot_dir}
    lake = load("omniglot", split="background", protocol="lake", **options)
    assert not origins & set(lake.origins)
    vinyals = load("omniglot", split="train", protocol="vinyals", **options)
    assert len(origins & set(vinyals.origins)) > 20


def swap(members, first, second):
    return {**members, first: members[second], second: members[first]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: {n: c for n, c in m.items() if n != "run07/test/item11.png"},
            "without 1 of them, among them 'run07/test/item11.png'",
        ),
        (
            lambda m: {n: c for n, c in m.items() if "run19" not in n},
            "without 41 of them, among them 'run19/class_labels.txt'",
        ),
        (lambda m: {}, "without 820 of them"),
        (lambda m: {**m, "run21/test/item01.png": png()}, "'run21/test/item01.png'"),
        (lambda m: {**m, "__MACOSX/run01": b""}, "Received: '__MACOSX/run01'"),
        (lambda m: {"../run01": b"", **m}, "../run01"),
        (lambda m: {**m, "run03/test/item04.png": b"hello"}, "must be a readable PNG"),
        (
            lambda m: {
                **m,
                "run03/test/item04.png": m["run03/test/item04.png"][:-40],
            },
            "'run03/test/item04.png' must be a readable PNG",
        ),
        (
            lambda m: {**m, "run03/test/item04.png": png((104, 105))},
            "105x105 pixels. Received: 104x105",
        ),
        (
            lambda m: {**m, "run03/test/item04.png": png()},
            "some with other content",
        ),
        (
            lambda m: swap(m, "run03/test/item04.png", "run03/test/item05.png"),
            "some with other content",
        ),
        (
            lambda m: swap(m, "run03/class_labels.txt", "run04/class_labels.txt"),
            "of its own run. Received: 'run04/test/item01.png",
        ),
        (lambda m: {**m, "run03/class_labels.txt": b"\xff\x00"}, "must be 'run<NN>"),
        (
            lambda m: {
                **m,
                "run03/class_labels.txt": m["run03/class_labels.txt"][: 49 * 19],
            },
            "Received: 19 lines with 19 test and 19 training pictures",
        ),
        (
            lambda m: {
                **m,
                "run03/class_labels.txt": m["run03/class_labels.txt"].replace(
                    b"class02", b"class01"
                ),
            },
            "Received: 20 lines with 20 test and 19 training pictures",
        ),
    ],
)
def test_archives_that_are_not_the_authors_are_refused(
    write_archive, members, change, message
):
    path = write_archive(change(members))
    with pytest.raises(ValueError) as caught:
        read_runs_archive(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_archive_zipped_anew_is_the_same(write_archive, members, source):
    path = write_archive(dict(reversed(members.items())))
    for found, expected in zip(
        read_runs_archive(path), read_runs_archive(source / RUNS_ARCHIVE), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.fixture
def data_dir(omniglot_dir, tmp_path):
    """A data folder with Omniglot, without the runs."""
    small = size_path(tmp_path / "data")
    small.parent.mkdir(parents=True)
    small.symlink_to(size_path(omniglot_dir))
    return tmp_path / "data"


def test_the_runs_can_be_added_alone(write_archive, members, data_dir, full_size):
    report = import_omniglot(write_archive(members).parent, data_dir)
    (note,) = report.notes
    assert "evaluate RUN --protocol lake" in note
    assert not list(data_dir.rglob("*.building"))
    runs = load_lake_runs(data_dir=data_dir, size=105)
    np.testing.assert_array_equal(runs.query, full_size.query)


def test_without_omniglot_the_runs_alone_are_not_enough(source, tmp_path):
    shutil.copy(source / RUNS_ARCHIVE, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"without images_background\.zip"):
        import_omniglot(tmp_path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_broken_archive_leaves_what_was_there(
    write_archive, members, data_dir, hash_tree
):
    path = write_archive(members)
    import_omniglot(path.parent, data_dir)
    before = hash_tree(runs_path(data_dir))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="must be a whole zip archive"):
        import_omniglot(path.parent, data_dir)
    assert hash_tree(runs_path(data_dir)) == before


def test_what_is_not_there_is_said_with_the_command(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_lake_runs(data_dir=tmp_path)
    for part in (str(tmp_path), RUNS_ARCHIVE, "tfmeta datasets import omniglot --from"):
        assert part in str(caught.value)


@pytest.fixture
def damage(lake_dir, tmp_path):
    """Writes a file of the runs' table with other bytes; returns the data folder."""

    def damage(change, file="examples.bin"):
        shutil.rmtree(tmp_path / "damaged", ignore_errors=True)
        table = shutil.copytree(runs_path(lake_dir), runs_path(tmp_path / "damaged"))
        (table / file).write_bytes(change((table / file).read_bytes()))
        return tmp_path / "damaged"

    return damage


FILES = ("examples.bin", "spans.npy", "table.json")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: b"rubbish",
        lambda content: content[:1000],
        lambda content: content[:-2],
        lambda content: content[:9000] + b"rubbish" + content[9007:],
    ],
)
def test_a_damaged_file_is_named(damage, change, file):
    folder = damage(change, file)
    with pytest.raises(ValueError, match="delete it and import again") as caught:
        load_lake_runs(data_dir=folder)
    assert str(runs_path(folder)) in str(caught.value)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(FILES),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_a_flipped_bit_shows_or_changes_nothing(damage, full_size, file, place, bit):
    def flip(content):
        index = int(place * len(content))
        changed = bytes([content[index] ^ (1 << bit)])
        return content[:index] + changed + content[index + 1 :]

    try:
        runs = load_lake_runs(data_dir=damage(flip, file), size=105)
    except ValueError as error:
        assert "delete it and import again" in str(error)
    else:  # a name in the header, for one
        np.testing.assert_array_equal(runs.query, full_size.query)
        np.testing.assert_array_equal(runs.labels, full_size.labels)


def test_other_pictures_in_the_data_folder_are_refused(source, tmp_path):
    scans, labels = read_runs_archive(source / RUNS_ARCHIVE)
    write_runs(scans, labels[:, ::-1].copy(), tmp_path)
    with pytest.raises(ValueError, match="of other content"):
        load_lake_runs(data_dir=tmp_path)
    write_runs(scans, labels, tmp_path / "right")
    assert load_lake_runs(data_dir=tmp_path / "right").labels.max() == 19


def test_the_table_pairs_support_and_query(lake_dir, full_size):
    table = open_table(runs_path(lake_dir))
    assert (table.num_classes, set(table.class_sizes.tolist())) == (400, {2})
    place = table.class_names.index("run07/class03")
    support, query = table.examples_of(place)
    np.testing.assert_array_equal(support, full_size.support[6, 2])
    item = table.class_attributes[place]
    np.testing.assert_array_equal(query, full_size.query[6, item])
    assert full_size.labels[6, item] == 2


@pytest.mark.parametrize("size", [0, 106, 28.0, True, "28"])
def test_sizes_that_are_no_sizes(lake_dir, size):
    with pytest.raises(ValueError, match="`size` must be an int from 1 to 105"):
        load_lake_runs(data_dir=lake_dir, size=size)
