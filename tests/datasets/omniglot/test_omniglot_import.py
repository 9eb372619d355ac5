import io
import shutil
import zipfile

import pytest
from PIL import Image

from tfmeta.datasets.omniglot.archives import (
    ARCHIVES,
    OmniglotArchive,
    read_drawings,
)
from tfmeta.datasets.omniglot.importing import import_omniglot
from tfmeta.datasets.omniglot.lake_runs import runs_path
from tfmeta.datasets.omniglot.pictures import size_path

# The authors' smaller archive, of some of the background characters.
SMALL = "images_background_small1.zip"
OFFICIAL = "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4"
EXPECTED = OmniglotArchive(SMALL, 136, OFFICIAL, "train")


@pytest.fixture
def source(reference_data):
    return reference_data / "omniglot"


@pytest.fixture
def rewritten(source, tmp_path):
    """Rewrites a small archive, each member through a function."""

    def rewrite(change):
        path = tmp_path / SMALL
        with zipfile.ZipFile(source / SMALL) as old, zipfile.ZipFile(path, "w") as new:
            for index, name in enumerate(n for n in old.namelist() if n[-1] != "/"):
                for member in change(index, name, old.read(name)):
                    new.writestr(*member)
        return path

    return rewrite


def png(size=(105, 105)):
    buffer = io.BytesIO()
    Image.new("1", size).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_official_archive_is_recognised(source):
    checked = []
    report, drawings = read_drawings(
        source, EXPECTED, on_picture=lambda: checked.append(1)
    )
    assert report.official and report.notes == ()
    assert report.content == "136 characters, 2,720 pictures"
    assert len(checked) == 2720
    assert sum(map(len, drawings.values())) == 2720
    with zipfile.ZipFile(source / SMALL) as archive:
        names = [n for n in archive.namelist() if "Greek/character05/" in n]
        expected = {archive.read(name) for name in names if name.endswith(".png")}
    assert len(expected) == 20 and {*drawings["Greek/character05"]} == expected


def test_an_archive_zipped_anew_is_complete_but_not_official(rewritten, source):
    path = rewritten(lambda i, name, content: [(name, content)])
    report, drawings = read_drawings(path.parent, EXPECTED)
    assert not report.official
    (note,) = report.notes
    assert "2,720 pictures" in note and OFFICIAL in note and report.sha256 in note
    assert drawings == read_drawings(source, EXPECTED)[1]


def test_checksums_are_those_that_tfds_knows(tmp_path):
    import tensorflow_datasets as tfds

    infos = tfds.builder("omniglot", data_dir=tmp_path).url_infos
    known = {url.rsplit("/")[-1]: info.checksum for url, info in infos.items()}
    for archive in (*ARCHIVES, EXPECTED):
        assert archive.official_sha256 == known[archive.file_name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda i, name, content: [(name, content)] if i else [],
            "2,719 pictures of 136 characters, 19 of 'Balinese/character01'",
        ),
        (
            lambda i, name, content: [(name, content)] if i > 19 else [],
            "2,700 pictures of 135 characters",
        ),
        (
            lambda i, name, content: [(name, content if i else content[:-30])],
            "'images_background_small1/Balinese/character01/0108_01.png' must be a "
            "readable PNG",
        ),
        (
            lambda i, name, content: [(name, content if i else b"hello")],
            "0108_01.png' must be a readable PNG",
        ),
        (
            lambda i, name, content: [(name, content if i else png((28, 28)))],
            "105x105 pixels. Received: 28x28",
        ),
        (
            lambda i, name, content: [(name.split("/", 1)[1], content)],
            "must be named 'images_background_small1/<alphabet>",
        ),
        (
            lambda i, name, content: [(name, content), (f"__MACOSX/{i}", b"")],
            "Received: '__MACOSX/0'",
        ),
        (
            lambda i, name, content: [(name.replace("0109_", "0108_"), content)],
            "label 0108 must belong to one character",
        ),
    ],
)
def test_archives_that_are_not_whole_are_refused(rewritten, change, message):
    path = rewritten(change)
    with pytest.raises(ValueError) as caught:
        read_drawings(path.parent, EXPECTED)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_archives_must_agree_on_labels(source):
    with pytest.raises(ValueError, match="label 0108"):
        read_drawings(source, EXPECTED, {"0108": "Greek/character01"})


@pytest.mark.parametrize("there", [0, 1])
def test_a_missing_archive_is_named_at_once(source, tmp_path, there):
    shutil.copy(source / ARCHIVES[there].file_name, tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        import_omniglot(tmp_path, tmp_path / "data")
    missing = str(caught.value).split("without ")[1].split(", ")
    assert missing == [ARCHIVES[1 - there].file_name]
    assert not (tmp_path / "data").exists()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="`source`.*nowhere"):
        import_omniglot(tmp_path / "nowhere", tmp_path / "data")


def test_a_broken_archive_reaches_no_table(source, tmp_path):
    for archive in ARCHIVES:
        shutil.copy(source / archive.file_name, tmp_path)
    last = tmp_path / ARCHIVES[-1].file_name
    last.chmod(0o644)
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(ValueError, match="evaluation.zip must be a whole zip archive"):
        import_omniglot(tmp_path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_importing_again_changes_nothing(source, omniglot_dir, hash_tree):
    before = hash_tree(omniglot_dir)
    reports = []
    report = import_omniglot(
        str(source),
        str(omniglot_dir),
        on_progress=lambda done, of_all: reports.append((done, of_all)),
    )
    # Each picture checked and in two tables; the 800 of Lake's test read and in one.
    of_all = 3 * (19280 + 13180) + 2 * 800
    assert {all_ for _, all_ in reports} == {of_all}
    assert [done for done, _ in reports] == sorted({done for done, _ in reports})
    assert reports[-1][0] == of_all and len(reports) > 300
    assert hash_tree(omniglot_dir) == before
    assert report.tables == (
        size_path(omniglot_dir, 105),
        size_path(omniglot_dir),
        runs_path(omniglot_dir),
    )
    assert report.already_there
    assert "evaluate RUN --protocol lake" in report.notes[-2]
    assert "only checked" in report.notes[-1]


def test_nothing_temporary_is_left(omniglot_dir):
    assert list(omniglot_dir.rglob(".*")) == []
    assert list(omniglot_dir.rglob("*.building")) == []


def test_a_damaged_table_is_not_taken_for_omniglot(source, omniglot_dir, tmp_path):
    for size in (105, 28):
        path = size_path(tmp_path, size)
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(size_path(omniglot_dir, size))
    path.unlink()
    shutil.copytree(size_path(omniglot_dir), path)
    (path / "examples.npy").write_bytes(b"half")
    with pytest.raises(ValueError, match="omniglot_28x28 must be a whole table"):
        import_omniglot(source, tmp_path)
