import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tfmeta.datasets.own.csv_file import list_csv, load_csv


@pytest.fixture
def folder(tmp_path):
    """A folder `data` with four pictures, each of one grey, and one outside."""
    for place, value in (
        ("data/photos/1.png", 10),
        ("data/photos/2.png", 20),
        ("data/photos/a b,c.png", 30),
        ("data/4.png", 40),
        ("outside.png", 50),
    ):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 2), value).save(path)
    return tmp_path / "data"


def write(folder, text, encoding="utf-8", name="birds.csv"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


GOOD = "path,label\nphotos/2.png,wren\n4.png,été\nphotos/1.png,wren\n"


def values(table):
    return {
        name: table.examples_of(c)[:, 0, 0, 0].tolist()
        for c, name in enumerate(table.class_names)
    }


def test_paths_are_relative_to_the_file(folder, monkeypatch):
    expected = {"wren": [20, 10], "été": [40]}
    table = load_csv(write(folder, GOOD))
    assert table.name == "birds"
    assert table.groups is None
    assert table.example_shape == (2, 3, 1)
    assert values(table) == expected
    monkeypatch.chdir(folder)
    assert values(load_csv("birds.csv")) == expected
    assert load_csv("birds.csv", size=4, channels=3).example_shape == (4, 4, 3)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_as_spreadsheets_write_it(folder, delimiter, encoding, end):
    text = GOOD.replace(",", delimiter).replace("\n", end)
    path = write(folder, text, encoding)
    if encoding.startswith("utf-8"):
        assert values(load_csv(path)) == {"wren": [20, 10], "été": [40]}
        return
    with pytest.raises(ValueError, match="birds.csv.*encoding 'utf-8-sig'"):
        load_csv(path)
    table = load_csv(path, encoding=encoding)
    assert values(table) == {"wren": [20, 10], "été": [40]}


def test_columns_by_name_in_any_order(folder):
    text = "Art ,n,Datei\nwren,1,photos/1.png\nowl,2,4.png\n"
    table = load_csv(
        write(folder, text), path_column="Datei", label_column="Art", name="mine"
    )
    assert table.name == "mine"
    assert values(table) == {"owl": [40], "wren": [10]}
    with pytest.raises(ValueError, match="'path', 'label'.*'Art ,n,Datei'"):
        load_csv(folder / "birds.csv")


def test_groups(folder):
    text = "path,label,family\n4.png,owl,large\nphotos/1.png,wren,small\n"
    table = load_csv(write(folder, text), group_column="family")
    assert table.groups == ("large", "small")
    assert table.group_level == "family"
    torn = write(folder, text + "photos/2.png,owl,small\n")
    with pytest.raises(ValueError, match="line 4.*'owl' with 'large'.*'small' here"):
        load_csv(torn, group_column="family")


def test_quoted_fields_and_empty_lines(folder):
    text = 'path,label\n\n"photos/a b,c.png","a ""wren"""\n \n4.png , owl \n\n'
    assert values(load_csv(write(folder, text))) == {'a "wren"': [30], "owl": [40]}


@pytest.mark.skipif(os.name == "nt", reason="there it is the separator")
def test_paths_written_on_windows(folder):
    text = "path,label\nphotos\\1.png,wren\n"
    assert values(load_csv(write(folder, text))) == {"wren": [10]}


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        (
            "../outside.png,wren",
            ValueError,
            "line 2.*must lie in.*outside.png'",
        ),
        (
            "{here}/outside.png,wren",
            ValueError,
            "line 2.*must lie in",
        ),
        (
            "link.png,wren",
            ValueError,
            "line 2.*must lie in.*'link.png'",
        ),
        ("photos/9.png,wren", FileNotFoundError, "line 2.*'photos/9.png'.*is none"),
        ("photos,wren", FileNotFoundError, "line 2.*'photos'"),
        ("4.png,", ValueError, "line 2.*'label' must not be empty"),
        (",wren", ValueError, "line 2.*'path' must not be empty"),
        ("4.png", ValueError, "line 2.*must be 2 fields.*Received: 1"),
        ("4.png,wren,x", ValueError, "line 2.*must be 2 fields.*Received: 3"),
        ("4.png,a\n./4.png,b", ValueError, "line 3.*once.*'./4.png', which line 2"),
        ('4.png,"wren', ValueError, "line 2.*valid CSV"),
        ("a\0b,wren", ValueError, "line 2.*a"),
        ("x" * 5000 + ",wren", (ValueError, OSError), "line 2"),
        ("", ValueError, "a header alone"),
    ],
)
def test_errors_name_the_line(folder, line, error, message):
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    text = f"path,label\n{line.format(here=folder.parent)}\n"
    with pytest.raises(error, match=message):
        load_csv(write(folder, text))


def test_paths_may_leave_the_folder_when_told_so(folder):
    text = f"path,label\n../outside.png,a\n{folder.parent / 'outside.png'},b\n"
    path = write(folder, text)
    with pytest.raises(ValueError, match="line 3.*once"):
        load_csv(path, allow_outside=True)
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    path = write(folder, "path,label\nlink.png,a\n")
    assert values(load_csv(path, allow_outside=True)) == {"a": [50]}


def test_a_folder_that_is_a_link_is_no_outside(folder):
    (folder.parent / "link").symlink_to(folder, target_is_directory=True)
    write(folder, GOOD)
    assert load_csv(folder.parent / "link" / "birds.csv").num_examples == 3


def test_arrays(folder):
    for number in range(3):
        np.save(folder / f"{number}.npy", np.full(4, number, np.int16))
    path = write(folder, "path,label\n2.npy,a\n0.npy,b\n1.npy,a\n")
    table = load_csv(path)
    assert table.examples.dtype == np.int16
    assert table.examples[:, 0].tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match="`size` must be left out for .npy files"):
        load_csv(path, size=4)
    mixed = write(folder, "path,label\n2.npy,a\n4.png,b\n")
    with pytest.raises(ValueError, match="alone.*2.npy.*4.png"):
        load_csv(mixed)


def test_files_that_are_none(folder):
    with pytest.raises(FileNotFoundError, match="x.csv.*nothing there"):
        load_csv(folder / "x.csv")
    with pytest.raises(FileNotFoundError, match="a folder"):
        load_csv(folder)
    with pytest.raises(ValueError, match="first line.*Received: ''"):
        load_csv(write(folder, ""))
    with pytest.raises(ValueError, match="`encoding`.*'latin-99'"):
        load_csv(write(folder, GOOD), encoding="latin-99")


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(',;\t"\n\r 4.png/\\\0é', max_size=60).map(
            lambda text: b"path,label\n" + text.encode()
        ),
    )
)
def test_whatever_is_in_it_ends_in_one_message(folder, content):
    path = folder / "birds.csv"
    path.write_bytes(content)
    try:
        files = list_csv(path)
    except (ValueError, FileNotFoundError) as error:
        assert "birds.csv" in str(error)
    else:
        assert all(file.is_file() for file in files.files)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "a b,c"]),
            st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1),
        ),
        min_size=1,
        unique_by=lambda row: row[0],
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_labels_of_any_script_come_back(folder, rows):
    import csv
    import unicodedata

    path = folder / "birds.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows([(f"photos/{name}.png", label) for name, label in rows])
    files = list_csv(path)
    found = {f.stem: label for f, label in zip(files.files, files.labels, strict=True)}
    assert found == {n: unicodedata.normalize("NFC", label) for n, label in rows}
