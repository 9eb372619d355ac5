import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tfmeta.reproduction.csv_table import csv_text
from tfmeta.reproduction.files import read_earlier, read_result, write_table
from tfmeta.reproduction.markdown import markdown
from tfmeta.reproduction.readme import put_into_readme

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def runs(tmp_path):
    """Folders of the two runs that have figures."""
    for seed in (0, 1):
        (tmp_path / f"some-seed{seed}").mkdir()
    return tmp_path


def test_files_of_a_table(content, runs):
    text, lines, result, curves = write_table(content, runs)
    assert text.read_text(encoding="utf-8") == markdown(content)
    assert lines.read_text(encoding="utf-8") == csv_text(content)
    assert read_result(result) == read_earlier("own", runs) == content
    with Image.open(curves) as picture:
        assert picture.format == "PNG" and picture.width > 500
    assert {path.name for path in runs.iterdir()} == {
        *("own.md", "own.csv", "own.json", "curves.png", "some-seed0", "some-seed1")
    }
    write_table(content, runs)


def test_a_table_without_a_training(content, tmp_path):
    for row in content["rows"]:
        row["runs"] = []
    for path in write_table(content, tmp_path / "new"):
        assert path.stat().st_size > 0


def test_figures_of_runs_that_are_gone_are_not_overwritten(content, runs, hash_tree):
    write_table(content, runs)
    (runs / "some-seed1").rmdir()
    before = hash_tree(runs)
    lacking = {**content, "rows": [{**row, "runs": []} for row in content["rows"]]}
    with pytest.raises(FileExistsError, match="own.json.*none named some-seed1"):
        write_table(lacking, runs)
    assert hash_tree(runs) == before
    write_table(content, runs)  # Which has them, folder or not.


@pytest.mark.parametrize(
    "there",
    [
        *("mine", "[]", '{"mine": 1}', '{"format_version": 1, "table": "own"}'),
        '{"format_version": 1, "table": "own", "test_episodes": 9, "rows": [{}]}',
    ],
)
def test_a_file_that_is_no_table_is_not_overwritten(content, runs, there):
    (runs / "own.json").write_text(there)
    with pytest.raises(FileExistsError, match="own.json must be a table.*not overwr"):
        write_table(content, runs)
    with pytest.raises(FileExistsError, match="own.json must be a table.*not overwr"):
        read_earlier("own", runs)
    assert (runs / "own.json").read_text() == there
    assert not (runs / "own.md").exists()


def test_a_result_is_refused_when_it_is_none(content, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps({**content, "format_version": 4}))
    with pytest.raises(ValueError, match="newer tfmeta"):
        read_result(path)


def test_a_former_table_keeps_its_figures_without_the_intervals_over_classes(
    content, tmp_path
):
    path = tmp_path / "own.json"
    former = {**content, "format_version": 1}
    path.write_text(json.dumps(former))
    found = read_result(path)
    for row, before in zip(found["rows"], content["rows"], strict=True):
        for run, run_before in zip(row["runs"], before["runs"], strict=True):
            for figure, was in zip(run["figures"], run_before["figures"], strict=True):
                if was is None:
                    assert figure is None
                    continue
                assert figure["percent"] == was["percent"]
                for over, ends in figure["intervals"].items():
                    gone = over in ("test classes", "alphabets")
                    assert ends == (None if gone else was["intervals"][over])
                assert "measured anew" in figure["no_interval"]
    assert "– is no interval: the classes of the episodes were not" in markdown(found)
    assert read_result(path) == found and json.loads(path.read_text()) == former


def test_no_committed_table_has_a_former_interval():
    for path in (REPOSITORY / "benchmarks" / "results").glob("*.json"):
        text = path.read_text(encoding="utf-8")
        ends = re.findall(r'"(?:over_test_classes|over_alphabets)": \[', text)
        assert ends == [], path
    for name in ("omniglot", "mini-imagenet"):
        path = REPOSITORY / "benchmarks" / "results" / f"{name}.json"
        assert json.loads(path.read_text(encoding="utf-8"))["format_version"] == 3


README = "before\n<!-- own table -->\n\nold\n\n<!-- end of own table -->\nafter\n"


def test_a_readme_gets_the_table_between_its_markers(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(README)
    put_into_readme(path, "own", "| new |\n")
    expected = README.replace("\nold\n", "\n| new |\n")
    assert path.read_text() == expected
    put_into_readme(path, "own", "| new |\n")
    assert path.read_text() == expected
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    "text", ["", README + README, README.replace("end of own", "end of other")]
)
def test_a_readme_without_the_markers_is_left_alone(tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(ValueError, match="README.md must hold '<!-- own table -->'"):
        put_into_readme(path, "own", "| new |\n")
    assert path.read_text() == text
