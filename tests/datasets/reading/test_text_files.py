"""Text, JSON and CSV from files that may be packed, broken or hostile."""

import gzip

import pytest

from tfmeta.datasets.reading.text_files import read_csv, read_json, read_text


def put(folder, name, content):
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_text_packed_or_not(tmp_path, name):
    put(tmp_path, name, "﻿naïve\r\n")
    assert read_text(tmp_path, "a.txt") == "naïve\r\n"


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a.csv or a.csv.gz.*without either"):
        read_text(tmp_path, "a.csv")
    with pytest.raises(FileNotFoundError, match="no folder"):
        read_text(tmp_path / "nowhere", "a.csv")


def test_no_more_is_unpacked_than_allowed(tmp_path):
    put(tmp_path, "bomb.json.gz", b"0" * 10_000_000)
    with pytest.raises(ValueError, match="at most 1,000 bytes"):
        read_text(tmp_path, "bomb.json", max_bytes=1000)
    put(tmp_path, "whole.txt", b"0" * 1000)
    assert len(read_text(tmp_path, "whole.txt", max_bytes=1000)) == 1000


@pytest.mark.parametrize("damage", [b"no gzip at all", None, "cut"])
def test_damaged_gzip(tmp_path, damage):
    whole = gzip.compress(b"some text that is long enough" * 50)
    broken = {None: b"", "cut": whole[:-12]}.get(damage, damage)
    (tmp_path / "a.txt.gz").write_bytes(broken)
    if damage is None:
        # An empty file is what gzip calls no members: nothing to read.
        assert read_text(tmp_path, "a.txt") == ""
        return
    with pytest.raises(ValueError, match=r"a.txt.gz must be a whole gzip file"):
        read_text(tmp_path, "a.txt")


def test_flipped_byte_is_seen(tmp_path):
    whole = bytearray(gzip.compress(b"some text that is long enough" * 50))
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / "a.txt.gz").write_bytes(whole)
    with pytest.raises(ValueError, match=r"a.txt.gz must be a whole gzip file"):
        read_text(tmp_path, "a.txt")


def test_other_encoding(tmp_path):
    put(tmp_path, "a.txt", "naïve".encode("latin-1"))
    with pytest.raises(ValueError, match="must be text in UTF-8"):
        read_text(tmp_path, "a.txt")


@pytest.mark.parametrize("content", ["{", "[" * 100_000, ""])
def test_no_json(tmp_path, content):
    put(tmp_path, "a.json", content)
    with pytest.raises(ValueError, match=r"a.json in .* must be JSON"):
        read_json(tmp_path, "a.json")


def test_columns_in_the_order_asked_for(tmp_path):
    put(tmp_path, "a.csv", 'b,c,a\n1,2,3\n"4,5\n",6,"7 ""x"""\n')
    assert list(read_csv(tmp_path, "a.csv", ("a", "b"))) == [
        (2, ["3", "1"]),
        (4, ['7 "x"', "4,5\n"]),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,c\n1,2\n", "columns a, b, each once.*b missing or twice"),
        ("a,b,b\n1,2,3\n", "b missing or twice"),
        ("", "a, b missing"),
        ("a,b\n1,2\n1\n", "line 3: there must be 2 fields.*Received: 1"),
        ('a,b\n1,"2\n', "must be valid CSV"),
    ],
)
def test_broken_csv(tmp_path, content, message):
    put(tmp_path, "a.csv", content)
    with pytest.raises(ValueError, match=f"(?s)a.csv in .*{message}"):
        list(read_csv(tmp_path, "a.csv", ("a", "b")))
