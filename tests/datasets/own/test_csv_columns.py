"""Columns of CSV files by any names."""

import pytest

from tfmeta.datasets import load
from tfmeta.datasets.own import load_csv, load_own_split, load_text_csv, open_own
from tfmeta.datasets.own.csv_columns import CsvColumns

TEXTS = "id;utterance;intent;domain\n"
COLUMNS = {"text_column": "utterance", "label_column": "intent"}


@pytest.fixture
def intents(tmp_path):
    """Six intents of three domains, two texts each."""
    path = tmp_path / "intents.csv"
    rows = [
        f"{i};say {i} {n};intent{i};domain{i // 2}" for i in range(6) for n in range(2)
    ]
    path.write_text(TEXTS + "\n".join(rows) + "\n")
    return path


def test_texts_of_other_columns(intents):
    table = open_own(intents, **COLUMNS, group_column="domain")
    assert table.class_names == tuple(f"intent{i}" for i in range(6))
    assert list(table.examples_of(1)) == ["say 1 0", "say 1 1"]
    assert table.groups == tuple(f"domain{i // 2}" for i in range(6))
    assert table.group_level == "domain"
    again = load_text_csv(intents, **COLUMNS)
    assert list(again.examples) == list(table.examples) and again.groups is None


def test_splits_of_other_columns(intents):
    names = set()
    for split in ("train", "validation", "test"):
        table = load(intents, split=split, **COLUMNS, group_column="domain")
        assert len(set(table.groups)) >= 1
        names |= set(table.class_names)
    assert len(names) == 6
    by_group = load_own_split(
        intents, "test", **COLUMNS, group_column="domain", by_group=True
    )
    assert set(by_group.groups) == {by_group.groups[0]}
    assert by_group.num_classes == 2


def test_paths_of_other_columns(tmp_path):
    for name in ("1.txt", "2.txt"):
        (tmp_path / name).write_text(f"text {name}")
    path = tmp_path / "list.csv"
    path.write_text("file,what,text\n1.txt,a,x\n2.txt,b,y\n")
    table = open_own(path, path_column="file", label_column="what")
    assert list(table.examples) == ["text 1.txt", "text 2.txt"]
    assert load_csv(path, path_column="file", label_column="what").num_classes == 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "`text_column` .*'id', 'utterance'.* no 'text' and no 'path'"),
        ({"text_column": "utterance"}, "`label_column` .*no 'label'"),
        ({"label_column": "intent"}, "`text_column` .*none is given"),
        ({"text_column": "words"}, "`text_column` .*'domain'. Received: 'words'"),
        ({**COLUMNS, "group_column": "x"}, "`group_column` .*Received: 'x'"),
        ({**COLUMNS, "label_column": "x"}, "`label_column` .*Received: 'x'"),
        ({"path_column": "x"}, "`path_column` .*Received: 'x'"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(
    intents, columns, message
):
    with pytest.raises(ValueError, match=message):
        open_own(intents, **columns)


def test_columns_that_do_not_go_together():
    with pytest.raises(ValueError, match="`text_column` must be left out where"):
        CsvColumns(text_column="a", path_column="b")
    with pytest.raises(ValueError, match="`label_column` must be another column than"):
        CsvColumns(text_column="a", label_column="a")


def test_what_is_no_csv_file_has_no_columns(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.txt").write_text("x")
    for column in ("text_column", "path_column", "label_column", "group_column"):
        with pytest.raises(ValueError, match=f"`{column}` must be left out for"):
            open_own(tmp_path, **{column: "x"})
    with pytest.raises(ValueError, match="must be left out for 'tfds:mnist'"):
        open_own("tfds:mnist", label_column="x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,text,label\na,b,c\n", "column 'text' of .* must be there once"),
        (b"text,label\n,c\n", "line 2: 'text' must not be empty"),
        (b"text,label\na,\n", "line 2: 'label' must not be empty"),
        (b"text,label\n", "at least one text"),
        ("text,label\na,b\n".encode("utf-16"), "encoding 'utf-8-sig'"),
        (b"text,label\n\xff,b\n", "encoding 'utf-8-sig'"),
        (b"x" * (2**20 + 2), "must name columns in at most"),
        (b"text,label,domain\na,b,d\nc,b,e\n", "line 3: a class must have one group"),
        (b"text,domain;label\na,b;c\n", "names 'text', 'domain;label'. Received: 'dom"),
    ],
    ids=range(9),
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "texts.csv"
    path.write_bytes(content)
    columns = {"group_column": "domain"} if b"domain" in content else {}
    with pytest.raises(ValueError, match=message):
        open_own(path, **columns)
