import hashlib

from tfmeta.datasets.reading.checked_archive import CheckedArchive, sha256_of


def test_checksums(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * (2**20 + 7))
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_other_archives_than_the_authors_are_noted(tmp_path):
    path = tmp_path / "some.zip"
    other = CheckedArchive(path, "1 thing", "cd" * 32, "ab" * 32)
    (note,) = other.notes
    assert not other.official
    for part in ("some.zip", "1 thing", "cd" * 32, "ab" * 32):
        assert part in note
    same = CheckedArchive(path, "1 thing", "ab" * 32, "ab" * 32)
    assert same.official and same.notes == ()
