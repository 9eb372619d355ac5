import struct
import tracemalloc
import zipfile

import pytest

from tfmeta.datasets.reading.archives import read_archive


def write(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def patch(path, offset_in_entry, format_, value):
    """Changes one field of the first entry of the central directory."""
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    struct.pack_into(format_, content, entry + offset_in_entry, value)
    path.write_bytes(content)
    return path


def symlink(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = 0o120777 << 16
    return info


def test_yields_files_and_leaves_folders_out(tmp_path):
    members = [("a/", b""), ("a/ü 字.png", b"one"), ("b", b""), ("a/c/d", b"x" * 9)]
    path = write(tmp_path / "good.zip", members)
    assert list(read_archive(path)) == members[1:]
    assert list(read_archive(str(path))) == members[1:]


def test_reads_the_real_thing(reference_data):
    path = reference_data / "omniglot" / "images_background_small1.zip"
    names = [name for name, content in read_archive(path) if content[1:4] == b"PNG"]
    assert len(names) == 2720


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil", "leaves it"),
        ("a/../../evil", "leaves it"),
        ("..\\evil", "leaves it"),
        ("/etc/passwd", "absolute"),
        ("\\evil", "absolute"),
        ("C:evil", "absolute"),
        ("a//b", "empty part"),
    ],
)
def test_refuses_paths_that_leave_the_folder(tmp_path, name, message):
    path = write(tmp_path / "bad.zip", [("fine", b""), (name, b"x")])
    with pytest.raises(ValueError, match=message) as caught:
        list(read_archive(path))
    assert "bad.zip" in str(caught.value)
    assert repr(name) in str(caught.value)


def test_checks_all_names_before_the_first_member(tmp_path):
    path = write(tmp_path / "bad.zip", [("fine", b""), ("../evil", b"x")])
    with pytest.raises(ValueError, match="evil"):
        next(read_archive(path))


def test_refuses_symbolic_links(tmp_path):
    path = write(tmp_path / "bad.zip", [(symlink("link"), b"/etc")])
    with pytest.raises(ValueError, match="'link'.*symbolic link"):
        list(read_archive(path))


def test_refuses_special_files(tmp_path):
    info = symlink("pipe")
    info.external_attr = 0o010644 << 16
    path = write(tmp_path / "bad.zip", [(info, b"")])
    with pytest.raises(ValueError, match="special file"):
        list(read_archive(path))


def test_refuses_names_given_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = write(tmp_path / "bad.zip", [("a/b", b"1"), ("a/b", b"2")])
    with pytest.raises(ValueError, match="'a/b'.*a second time"):
        list(read_archive(path))


def test_refuses_a_file_named_like_a_folder(tmp_path):
    path = write(tmp_path / "bad.zip", [("a/", b""), ("a", b"2")])
    with pytest.raises(ValueError, match="a second time"):
        list(read_archive(path))


def test_refuses_encrypted_members(tmp_path):
    path = patch(write(tmp_path / "bad.zip", [("secret", b"1")]), 8, "<H", 1)
    with pytest.raises(ValueError, match="'secret'.*encrypted"):
        list(read_archive(path))


def test_refuses_more_bytes_than_allowed(tmp_path):
    path = write(tmp_path / "big.zip", [("a", b"x" * 60), ("b", b"x" * 60)])
    assert len(list(read_archive(path, max_bytes=120))) == 2
    with pytest.raises(ValueError, match="119 bytes.*120.*'b'"):
        list(read_archive(path, max_bytes=119))


def test_refuses_members_that_grow_without_measure(tmp_path):
    path = write(tmp_path / "bomb.zip", [("bomb", bytes(2**24))])
    with pytest.raises(ValueError, match="'bomb'.*200 times.*16,777,216"):
        list(read_archive(path))
    assert len(next(read_archive(path, max_ratio=2000))[1]) == 2**24


def test_a_member_larger_than_it_says_is_not_read_further(tmp_path):
    path = write(tmp_path / "liar.zip", [("liar", bytes(2**24))])
    patch(path, 24, "<L", 100)
    with pytest.raises(ValueError, match="'liar'.*readable"):
        list(read_archive(path))


def test_no_more_memory_is_taken_than_a_member_says(tmp_path):
    path = write(tmp_path / "liar.zip", [("liar", bytes(2**26))])
    patch(path, 24, "<L", 2**18)
    tracemalloc.start()
    with pytest.raises(ValueError, match="'liar'.*readable"):
        list(read_archive(path))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**22


def test_damaged_members_are_named(tmp_path):
    path = write(tmp_path / "a.zip", [("member", b"content")], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"content", b"changed"))
    with pytest.raises(ValueError, match="a.zip.*'member'.*CRC"):
        list(read_archive(path))


def test_unknown_compression_is_named(tmp_path):
    path = patch(write(tmp_path / "a.zip", [("member", b"content")]), 10, "<H", 97)
    with pytest.raises(ValueError, match="'member'.*compression 97"):
        list(read_archive(path))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_refuses_what_the_library_unpacks_without_a_limit(tmp_path, compression):
    path = write(tmp_path / "a.zip", [("member", bytes(2**24))], compression)
    patch(path, 24, "<L", 100)
    with pytest.raises(ValueError, match=f"'member'.*compression {compression}"):
        list(read_archive(path))


@pytest.mark.parametrize("keep", [0, 1, 30, -1, -30])
def test_truncated_archives_are_refused(tmp_path, keep):
    path = write(tmp_path / "cut.zip", [("a", b"one"), ("b", b"two")])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="cut.zip must be a whole zip archive"):
        list(read_archive(path))


def test_a_broken_list_of_members_is_refused(tmp_path):
    path = patch(write(tmp_path / "a.zip", [("a", b"one")]), 0, "<L", 0)
    with pytest.raises(ValueError, match="a.zip must be a whole zip archive. Received"):
        list(read_archive(path))


def test_other_files_and_missing_ones(tmp_path):
    (tmp_path / "text.zip").write_text("not a zip archive" * 50)
    with pytest.raises(ValueError, match="text.zip"):
        list(read_archive(tmp_path / "text.zip"))
    with pytest.raises(FileNotFoundError, match="none.zip"):
        list(read_archive(tmp_path / "none.zip"))
    with pytest.raises(FileNotFoundError):
        list(read_archive(tmp_path))
