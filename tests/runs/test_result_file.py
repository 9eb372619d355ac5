import dataclasses
import json

import pytest

from tfmeta.runs.result_file import ResultFile


@dataclasses.dataclass(frozen=True)
class Figure:
    ways: int
    percent: float

    @property
    def protocol(self):
        return {"ways": self.ways}

    def to_json(self):
        return dataclasses.asdict(self)


def make_file(path, **options):
    return ResultFile(path, lambda v: Figure(**v), 2, "tfmeta measure", **options)


def test_one_figure_of_each_protocol_the_latest_last(tmp_path):
    kept = make_file(tmp_path / "figures.json")
    assert kept.read() == []
    for figure in (Figure(5, 90.0), Figure(20, 70.0), Figure(5, 91.0)):
        kept.keep(figure)
    assert kept.read() == [Figure(20, 70.0), Figure(5, 91.0)]
    assert json.loads(kept.path.read_text()) == {
        "format_version": 2,
        "results": [{"ways": 20, "percent": 70.0}, {"ways": 5, "percent": 91.0}],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


def test_of_a_single_protocol_the_file_holds_one_figure(tmp_path):
    kept = make_file(tmp_path / "figure.json", single=True)
    assert kept.read() == []
    for percent in (90.0, 91.0):
        kept.keep(Figure(20, percent))
        assert kept.read() == [Figure(20, percent)]
    assert json.loads(kept.path.read_text()) == {
        "format_version": 2,
        "result": {"ways": 20, "percent": 91.0},
    }


@pytest.mark.parametrize("results", [[{"ways": 5}], [3], 3, {"ways": 5}])
def test_a_damaged_file_is_named_and_stays(tmp_path, results):
    kept = make_file(tmp_path / "figures.json")
    text = json.dumps({"format_version": 1, "results": results})
    kept.path.write_text(text)
    message = "figures.json must hold results as `tfmeta measure` writes them"
    with pytest.raises(ValueError, match=message):
        kept.read()
    with pytest.raises(ValueError, match=message):
        kept.keep(Figure(5, 90.0))
    assert kept.path.read_text() == text


def test_a_newer_file_is_named(tmp_path):
    kept = make_file(tmp_path / "figures.json")
    kept.path.write_text('{"format_version": 3, "results": []}')
    with pytest.raises(ValueError, match="at most 2. Received: 3"):
        kept.read()
