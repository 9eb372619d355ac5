"""JSON files are JSON: no NaN, no infinity, and nothing lost when one is refused."""

import json
import math
import os

import numpy as np
import pytest

from tfmeta.json_files import (
    json_text,
    null_where_not_finite,
    parse_json,
    read_json,
    write_json,
)

NOT_FINITE = [math.nan, math.inf, -math.inf, np.float64("nan")]
PLACES = {
    "loss": lambda x: {"loss": x},
    "history.loss[2]": lambda x: {"a": 1, "history": {"loss": [0.5, 1.0, x]}},
    "[1][0].b": lambda x: [0, [{"b": x}]],
    "runs[0].figures[1]": lambda x: {"runs": ({"figures": [1.0, x]},)},
    "its top": lambda x: x,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", NOT_FINITE, ids=str)
def test_not_finite_is_refused_by_file_and_key(tmp_path, place, number):
    path = tmp_path / "metrics.json"
    write_json(path, {"kept": [1.5]})
    with pytest.raises(ValueError) as raised:
        write_json(path, PLACES[place](number))
    message = str(raised.value)
    assert str(path) in message and f"at {place}" in message
    assert read_json(path) == {"kept": [1.5]}
    assert os.listdir(tmp_path) == ["metrics.json"]


def test_a_key_is_looked_at_too():
    with pytest.raises(ValueError, match="finite numbers"):
        json_text({"a": {math.nan: 1}}, "x.json")


def test_what_json_does_not_hold_names_the_file(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(TypeError, match="a.json must hold what JSON does"):
        write_json(path, {"a": object()})
    assert not path.exists()


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_reading_refuses_what_json_does_not_have(tmp_path, word):
    path = tmp_path / "strange.json"
    path.write_text('{"a": [1.0, ' + word + "]}")
    with pytest.raises(
        ValueError, match=r"strange\.json must be a JSON file"
    ) as raised:
        read_json(path)
    assert word in str(raised.value)
    with pytest.raises(ValueError, match="the catalogue must be JSON"):
        parse_json(path.read_text(), "the catalogue")


def test_a_deep_nest_is_refused_and_no_crash():
    with pytest.raises(ValueError, match="nested too deep"):
        parse_json("[" * 100_000, "x.json")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 101 + "]" * 101, "nested too deep"),
        ('{"a": ' * 150 + "1" + "}" * 150, "nested too deep"),
        ("[1e2, 18446744073709551616]", "beyond integers of 64 bits"),
        ("9" * 10_000, "beyond integers of 64 bits"),
        ("", "Expecting value"),
    ],
    ids=["lists", "mappings", "65 bits", "a long number", "nothing"],
)
def test_what_no_file_of_ours_holds_is_refused(tmp_path, text, reason):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=reason) as raised:
        read_json(tmp_path / "a.json")
    assert str(raised.value).startswith(f"{tmp_path / 'a.json'} must be a JSON file")
    assert len(str(raised.value)) < 500


def test_a_file_is_read_as_the_type_that_is_wanted(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"loss": [1.0, None]})
    wanted = dict[str, list[float | None]]
    assert read_json(path, wanted) == {"loss": [1.0, None]}
    write_json(path, {"loss": ["x"]})
    with pytest.raises(ValueError, match=r"`loss\[0\]` in .*a.json must be a finite"):
        read_json(path, wanted)


def test_finite_values_come_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    values = [
        float(x) for x in rng.normal(size=50) * 10.0 ** rng.integers(-300, 300, 50)
    ]
    values += [0.1, 1e308, 5e-324, -0.0, 3, True, None, "ä字"]
    write_json(tmp_path / "a.json", {"values": values})
    assert read_json(tmp_path / "a.json") == {"values": values}
    # Any other reader of JSON agrees.
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"values": values}


def test_null_stands_for_a_statistic_without_a_value():
    value = {"recall": [0.5, math.nan], "n": 3, "of": ({"x": -math.inf}, "NaN")}
    assert null_where_not_finite(value) == {
        "recall": [0.5, None],
        "n": 3,
        "of": [{"x": None}, "NaN"],
    }
