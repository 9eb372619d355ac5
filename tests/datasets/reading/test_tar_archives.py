import bz2
import gzip
import io
import lzma
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.datasets.reading.archives import read_archive
from tfmeta.datasets.reading.tar_archives import read_tar

PACKERS = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
MEMBERS = [
    ("a/ü 字.png", b"one"),
    ("b", b""),
    ("a/c/d", b"x" * 512),
    (f"{'folder/' * 20}{'e' * 99}", b"long" * 999),
]


def tar(*members, format_=tarfile.PAX_FORMAT):
    """A tar archive of (name or TarInfo, content) in memory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def special(name, type_, linkname=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type_, linkname
    return info


def header(name="member", size=0, type_=b"0", **fields):
    """One block, whose checksum is right whatever the fields are."""
    block = bytearray(512)
    block[0:100] = name.encode().ljust(100, b"\0")
    block[100:108] = b"0000644\0"
    block[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[156:157] = type_
    block[257:265] = b"ustar\x0000"
    for offset, content in fields.get("at", {}).items():
        block[offset : offset + len(content)] = content
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content):
    return content + bytes(-len(content) % 512)


def pax(records, type_=b"x"):
    content = b""
    for key, value in records.items():
        line = f" {key}={value}\n".encode()
        length = len(line)
        while length < len(line) + len(str(length)):
            length = len(line) + len(str(length))
        content += str(length).encode() + line
    return header("extended", len(content), type_) + padded(content)


END = bytes(1024)


@pytest.fixture
def read(tmp_path):
    def read(content, name="archive.tar", **limits):
        path = tmp_path / name
        path.write_bytes(content)
        return list(read_archive(path, **limits))

    return read


@pytest.fixture
def refused(read):
    def refused(content, message, **limits):
        with pytest.raises(ValueError, match=message) as caught:
            read(content, "bad.tar", **limits)
        assert "bad.tar" in str(caught.value)

    return refused


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize("format_", FORMATS)
def test_yields_files_and_leaves_folders_out(read, packed, format_):
    folder = (special("a", tarfile.DIRTYPE), b"")
    content = PACKERS[packed](tar(folder, *MEMBERS, format_=format_))
    assert read(content, f"good.{packed}") == MEMBERS
    assert read(content, "any name") == MEMBERS


names = st.lists(
    st.text("aü字 .-\n%", min_size=1, max_size=40).filter(lambda part: part.strip(".")),
    min_size=1,
    max_size=5,
).map("/".join)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(names, st.binary(max_size=2000), max_size=5),
    st.sampled_from(FORMATS[1:]),
)
def test_reads_what_the_library_writes(tmp_path_factory, members, format_):
    path = tmp_path_factory.mktemp("tar") / "some.tar"
    path.write_bytes(tar(*members.items(), format_=format_))
    assert list(read_tar(path, 2**20, 200)) == list(members.items())


def test_reads_what_the_system_writes(tmp_path, read):
    for name, content in MEMBERS:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for format_ in ("v7", "ustar", "oldgnu", "gnu", "pax"):
        members = MEMBERS[:3] if format_ in ("v7", "ustar") else MEMBERS
        done = subprocess.run(
            ["tar", f"--format={format_}", "-czf", "-", "."]
            if members is MEMBERS
            else ["tar", f"--format={format_}", "-czf", "-", *(n for n, _ in members)],
            cwd=tmp_path / "files",
            capture_output=True,
        )
        if done.returncode:
            pytest.skip(f"no GNU tar here: {done.stderr.decode()}")
        assert sorted(read(done.stdout)) == sorted(members)


def test_reads_the_real_thing(reference_data):
    path = reference_data / "miniimagenet" / "miniimagenet_84x84_jpeg.tar.gz"
    archive = read_archive(path)
    for _ in range(1000):
        name, content = next(archive)
        assert name.endswith(".jpg") and content.startswith(b"\xff\xd8")


def test_an_archive_in_an_archive_is_not_taken_for_it(read):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as inner:
        inner.writestr("inner", b"1")
    content = tar(("inner.zip", buffer.getvalue()))
    assert zipfile.is_zipfile(io.BytesIO(content))
    assert read(content) == [("inner.zip", buffer.getvalue())]


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil", "leaves it"),
        ("a/../../evil", "leaves it"),
        ("..\\evil", "leaves it"),
        ("a/..", "leaves it"),
        ("/etc/passwd", "absolute"),
        ("\\evil", "absolute"),
        ("C:evil", "absolute"),
        ("a//b", "empty part"),
        ("", "empty part"),
        ("fine", "a second time"),
        ("./fine", "a second time"),
        ("fine/", "a second time"),
    ],
)
def test_refuses_names(refused, packed, name, message):
    content = header("fine") + header(name) + END
    refused(PACKERS[packed](content), f"{message}")
    extended = header("fine") + pax({"path": name}) + header("x") + END
    if name:
        refused(PACKERS[packed](extended), f"{message}")


def test_refuses_names_with_a_nul(refused):
    refused(header("a\0b") + END, "NUL in the name")
    refused(pax({"path": "a\0b"}) + header() + END, "'a\\\\x00b'.*NUL in the name")
    long = header("long", 4, tarfile.GNUTYPE_LONGNAME) + padded(b"a\0b\0")
    refused(long + header() + END, "NUL in the name")


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a special file"),
        (tarfile.BLKTYPE, "a special file"),
        (tarfile.FIFOTYPE, "a special file"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"M", "a member of type b'M'"),
        (b"D", "a member of type b'D'"),
        (b"\xff", "a member of type"),
    ],
)
def test_refuses_everything_but_files_and_folders(refused, type_, message):
    content = header("fine") + header("evil", 0, type_, at={157: b"/etc/passwd"})
    refused(content + END, f"'evil'.*{message}")


def test_refuses_links_of_the_library(refused):
    for type_ in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        for target in ("/etc", "l" * 200):
            for format_ in FORMATS[1:]:
                link = special("evil", type_, target)
                refused(tar((link, b""), format_=format_), "'evil'.* link")


@pytest.mark.parametrize("key", ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.x"])
def test_refuses_sparse_files_in_extended_headers(refused, key):
    refused(pax({key: "1"}) + header("evil") + END, "'evil'.*a sparse file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("evil", -1 % 8**11) + END, "must not unpack to more"),
        (header("evil", b"\xff" * 12) + END, "-1 bytes of 'evil'"),
        (header("evil", b"\x80" + b"\xff" * 11) + END, "must not unpack to more"),
        (header("evil", b"        -12\0") + END, "-10 bytes of 'evil'"),
        (header() + header("evil", b"not octal  \0") + END, "header that is no header"),
        (header("evil", 1, tarfile.DIRTYPE) + padded(b"1") + END, "with content"),
        (header(at={0: b"\xff"}) + END, "no UTF-8"),
        (header("a") + header("b")[:100] + b"!" + header("b")[101:] + END, "no header"),
        (header("a") + b"x" * 512 + END, "a header that is no header"),
        (header("x", 10**6, tarfile.XHDTYPE) + bytes(10**6) + END, "1,000,000 bytes"),
        (header("x", 10**6, b"L") + bytes(10**6) + END, "1,000,000 bytes"),
        (header("x", 10**6, b"K") + bytes(10**6) + END, "1,000,000 bytes"),
        (header("x", 8**11 - 1, b"x") + END, "an extended header of"),
        (header("x", 3, b"x") + padded(b"hej") + header() + END, "that is none"),
        (header("x", 6, b"x") + padded(b"9 a=b\n") + header() + END, "that is none"),
        (header("x", 6, b"x") + padded(b"6 a=bc") + header() + END, "that is none"),
        (header("x", 6, b"x") + padded(b"6 abc\n") + header() + END, "that is none"),
        (header("x", 6, b"x") + padded(b"0 a=b\n") + header() + END, "that is none"),
        (header("x", 7, b"x") + padded(b"-7 a=b\n") + header() + END, "that is none"),
        (pax({"size": "-1"}) + header() + END, "'-1' bytes"),
        (pax({"size": "9" * 30}) + header() + END, "bytes"),
        (pax({"size": "9" * 18}) + header() + END, "must not unpack to more"),
        (pax({"path": "a"}, b"g") + header() + END, "one name or size for all"),
        (pax({"size": "1"}, b"g") + header() + END, "one name or size for all"),
        (header() + END + b"more", "something behind its end"),
        (header() + bytes(512) + header("more") + END, "something behind its end"),
        (header(), "without the blocks that mark it"),
        (header("a", 5) + b"1234", "an end within member 'a'"),
        (header("a", 5) + b"12345", "an end within member 'a'"),
        (header("a", 2**40) + END, "must not unpack to more"),
        (pax({"path": "b"})[:600], "an end within an extended header"),
        (header("a") + header("b")[:300], "a header that is no header: truncated"),
        (bytes(10240), "something else"),
        (b"", "0 bytes of something else"),
        (b"hello", "5 bytes of something else"),
        (gzip.compress(b"hello"), "truncated header"),
        (gzip.compress(b""), "without the blocks"),
        (gzip.compress(gzip.compress(header() + END)), "header"),
        (b"\x1f\x8b", "EOFError"),
        (b"\x1f\x8b\x08\x00" + b"x" * 99, "must be whole"),
        (b"BZh9" + b"x" * 99, "must be whole"),
        (b"\xfd7zXZ\0" + b"x" * 99, "must be whole"),
    ],
)
def test_refuses_what_is_not_whole(refused, content, message):
    refused(content, message)


def test_other_records_of_extended_headers_do_no_harm(read):
    many = {"mtime": "1.5", "uname": "=\u00fc=", "comment": "g" * 1000, "size": "2"}
    content = pax({"comment": "of a commit"}, b"g") + pax(many)
    assert read(content + header("a") + padded(b"12") + END) == [("a", b"12")]


@pytest.mark.parametrize("packed", PACKERS)
def test_truncated_archives_are_refused(refused, packed):
    members = header("a", 700) + padded(b"1" * 700) + pax({"path": "b"}) + header()
    content = PACKERS[packed](members + END)
    end = len(members) if packed == "tar" else len(content)
    for length in range(1, end + 1, max(end // 60, 1)):
        refused(content[: end - length], "must be a? ?whole")


@pytest.mark.parametrize("packed", [p for p in PACKERS if p != "tar"])
def test_damage_is_found_before_the_end(refused, packed):
    content = PACKERS[packed](tar(("a", np.random.default_rng(0).bytes(5000))))
    for position in (len(content) // 2, len(content) - 6):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        refused(bytes(damaged), "must be whole")


def test_refuses_more_bytes_than_allowed(read, refused):
    content = tar(("a", b"x" * 60), ("b", b"x" * 60))
    assert len(read(content, max_bytes=120)) == 2
    refused(content, "119 bytes.*120.*'b'", max_bytes=119)


@pytest.mark.parametrize("packed", [p for p in PACKERS if p != "tar"])
def test_a_bomb_stops_early(tmp_path, packed):
    """64 MiB of zeros, packed, are refused long before they are all there."""
    path = tmp_path / "bomb.tar"
    path.write_bytes(PACKERS[packed](header("bomb", 2**26) + bytes(2**26) + END))
    assert path.stat().st_size < 2**19
    tracemalloc.start()
    with pytest.raises(ValueError, match="bomb.tar must not grow more than 20 times"):
        list(read_archive(path, max_ratio=20))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**24
    with pytest.raises(ValueError, match="must not unpack to more than 1,000,000"):
        list(read_archive(path, max_bytes=10**6))


def test_what_compresses_well_may_be_allowed(tmp_path):
    path = tmp_path / "white.tar.gz"
    path.write_bytes(gzip.compress(tar(("white", bytes(2**22)))))
    assert len(list(read_archive(path, max_ratio=2000))[0][1]) == 2**22
    with pytest.raises(ValueError, match="not grow more than 200 times"):
        list(read_archive(path))


def test_a_bomb_behind_the_end_is_found(refused):
    content = header() + END + bytes(2**26)
    refused(gzip.compress(content), "must not grow more than 200 times")


def test_xz_does_not_get_all_the_memory_it_asks_for(refused):
    content = bytearray(lzma.compress(tar(("a", b"1"))))
    # The block header: its length, flags, one filter (LZMA2) with one byte, the
    # size of the dictionary (40 stands for 4 GiB), zeros and a checksum.
    end = 12 + 4 * (content[12] + 1)
    content[content.index(b"\x21\x01", 12) + 2] = 40
    content[end - 4 : end] = struct.pack("<I", zlib.crc32(content[12 : end - 4]))
    refused(bytes(content), "Memory usage limit")


def test_several_packed_parts_are_one(read):
    content = tar(*MEMBERS)
    for pack in (gzip.compress, bz2.compress):
        assert read(pack(content[:700]) + pack(content[700:])) == MEMBERS


def test_too_many_members(read, refused, monkeypatch):
    monkeypatch.setattr("tfmeta.datasets.reading.tar_archives._MAX_MEMBERS", 3)
    assert len(read(tar(*MEMBERS[:3]))) == 3
    refused(tar(*MEMBERS), "not hold more than 3 members")


def test_nothing_is_written(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)
    read(tar(*MEMBERS))
    assert [p.name for p in tmp_path.iterdir()] == ["archive.tar"]
