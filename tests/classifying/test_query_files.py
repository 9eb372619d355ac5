import numpy as np
import pytest

from tfmeta.classifying.query_files import QueryFiles

NAMES = ("cup", "spoon")


@pytest.fixture
def folder(tmp_path):
    def fill(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    return fill


def test_pictures_without_classes(folder):
    path = folder("b.png", "a.png", "__MACOSX/._a.png", ".DS_Store")
    found = QueryFiles.found(path, NAMES, unknown_classes=False)
    assert [p.name for p in found.paths] == ["a.png", "b.png"]
    assert found.labels is None


def test_pictures_in_the_folders_of_their_classes(folder):
    path = folder("spoon/b.png", "spoon/a.png", "cup/a.png")
    found = QueryFiles.found(path, NAMES, unknown_classes=False)
    names = [str(p.relative_to(path)) for p in found.paths]
    assert names == ["cup/a.png", "spoon/a.png", "spoon/b.png"]
    np.testing.assert_array_equal(found.labels, [0, 1, 1])
    assert found.labels.dtype == np.int32


def test_other_classes_are_unknown_or_refused(folder):
    path = folder("cup/a.png", "fork/a.png")
    found = QueryFiles.found(path, NAMES, unknown_classes=True)
    np.testing.assert_array_equal(found.labels, [0, -1])
    with pytest.raises(ValueError, match="cup, spoon. Received: fork.*--open-set"):
        QueryFiles.found(path, NAMES, unknown_classes=False)


def test_files_beside_the_folders_are_named(folder):
    path = folder("cup/a.png", "b.png")
    with pytest.raises(ValueError, match="1 files, the first 'b.png'"):
        QueryFiles.found(path, NAMES, unknown_classes=False)
    with pytest.raises(FileNotFoundError, match="must exist"):
        QueryFiles.found(path / "nowhere", NAMES, unknown_classes=False)
