import io
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.omniglot.archives import ARCHIVES, check_archive
from tfmeta.datasets.omniglot.importing import import_omniglot
from tfmeta.datasets.omniglot.lake_runs import runs_path
from tfmeta.datasets.omniglot.load import load_omniglot
from tfmeta.datasets.omniglot.pack import packed_path, read_packed

SMALL = "images_background_small1.zip"
OFFICIAL = "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4"


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
    report = check_archive(
        source / SMALL, OFFICIAL, on_picture=lambda: checked.append(1)
    )
    assert report.official and report.notes == ()
    assert report.content == "136 characters, 2,720 pictures"
    assert len(checked) == 2720


def test_an_archive_zipped_anew_is_complete_but_not_official(rewritten):
    path = rewritten(lambda i, name, content: [(name, content)])
    report = check_archive(path, OFFICIAL)
    assert not report.official
    (note,) = report.notes
    assert "2,720 pictures" in note and OFFICIAL in note and report.sha256 in note


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
        check_archive(path, OFFICIAL)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_archives_must_agree_on_labels(source):
    with pytest.raises(ValueError, match="label 0108"):
        check_archive(source / SMALL, OFFICIAL, {"0108": "Greek/character01"})


def test_a_missing_archive_is_named_at_once(source, tmp_path):
    shutil.copy(source / SMALL, tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        import_omniglot(tmp_path, tmp_path / "data")
    missing = str(caught.value).split("without ")[1].split(", ")
    assert missing == [name for name in ARCHIVES if name != SMALL]
    assert not (tmp_path / "data").exists()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="`source`.*nowhere"):
        import_omniglot(tmp_path / "nowhere", tmp_path / "data")


def test_a_broken_archive_reaches_no_cache(source, tmp_path):
    for name in ARCHIVES:
        shutil.copy(source / name, tmp_path / name)
    last = tmp_path / list(ARCHIVES)[-1]
    last.chmod(0o644)
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(ValueError, match="small2.zip must be a whole zip archive"):
        import_omniglot(tmp_path, tmp_path / "data")
    assert not list((tmp_path / "data").rglob("*.*"))


def test_importing_again_changes_nothing(source, omniglot_dir):
    path = packed_path(omniglot_dir)
    before = (path.stat().st_ino, path.stat().st_mtime_ns)
    reports = []
    report = import_omniglot(
        str(source),
        str(omniglot_dir),
        on_progress=lambda done, of_all: reports.append((done, of_all)),
    )
    # Each picture checked, unpacked and prepared, those of the large archives packed;
    # the 800 of Lake's test read.
    of_all = 3 * (19280 + 13180 + 2720 + 3120) + 19280 + 13180 + 800
    assert {all_ for _, all_ in reports} == {of_all}
    assert [done for done, _ in reports] == sorted({done for done, _ in reports})
    assert reports[-1][0] == of_all and len(reports) > 300
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before
    assert report.packed_path == path
    assert report.already_prepared
    assert [a.path.name for a in report.archives] == list(ARCHIVES)
    for archive in report.archives:
        noted = any(archive.path.name in note for note in report.notes)
        assert noted != archive.official
        if noted:
            assert any(archive.official_sha256 in note for note in report.notes)
    assert report.runs and "evaluate RUN --protocol lake" in report.notes[-2]
    assert "only checked" in report.notes[-1]


def test_nothing_temporary_is_left(omniglot_dir):
    assert list(omniglot_dir.rglob(".*")) == []
    assert list(omniglot_dir.rglob("*incomplete*")) == []
    assert list(omniglot_dir.rglob("*.importing")) == []
    assert list(omniglot_dir.rglob("*.building")) == []
    assert not (omniglot_dir / "downloads" / "extracted").exists()


@pytest.fixture
def prepared(omniglot_dir, tmp_path):
    """A data folder of its own, prepared but not packed."""
    shutil.copytree(omniglot_dir / "omniglot", tmp_path / "omniglot")
    return tmp_path


def test_a_damaged_packed_file_is_made_anew_by_an_import(
    source, omniglot_dir, prepared
):
    path = packed_path(prepared)
    path.parent.mkdir()
    path.write_bytes(packed_path(omniglot_dir).read_bytes()[:1000])
    # What a process leaves that is killed while it packs.
    path.with_name(path.name + ".building").write_bytes(b"half")
    (prepared / "omniglot.importing" / "unpacked").mkdir(parents=True)
    import_omniglot(source, prepared)
    found, expected = read_packed(path), read_packed(packed_path(omniglot_dir))
    assert found.class_names == expected.class_names
    np.testing.assert_array_equal(found.examples, expected.examples)
    names = {path.name, runs_path(prepared).name}
    assert {p.name for p in path.parent.iterdir()} == names
    assert not (prepared / "omniglot.importing").exists()


def test_damaged_prepared_data_is_named(prepared):
    (record,) = (prepared / "omniglot").rglob("omniglot-train.tfrecord*")
    content = bytearray(record.read_bytes())
    content[len(content) // 10] ^= 0xFF
    record.write_bytes(content)
    with pytest.raises(ValueError, match="omniglot.3.0.0 must be readable; delete"):
        load_omniglot(data_dir=prepared)
    assert not packed_path(prepared).exists()
