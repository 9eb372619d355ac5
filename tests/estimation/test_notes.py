"""Where intervals were measured to be none, the output says so."""

import json
import re
from pathlib import Path

import pytest

from tfmeta.estimation.notes import MEASURED_COVERAGE, coverage_notes

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "expectation.json"


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ({"a": 0.92, "b": 0.98}, None),
        ({"a": 0.95, "b": 0.99}, r"99.0 % \(b\): it may be wider than it has to be"),
        ({"a": 0.915}, r"91.5 % \(a\): it may be too narrow"),
        ({"a": 0.9, "b": 1.0}, r"90.0 % \(a\), 100.0 % \(b\).*narrow or too wide"),
    ],
)
def test_what_is_off_by_more_than_three_points_is_said(measured, words):
    notes = coverage_notes(measured)
    assert len(notes) == (words is not None)
    for note in notes:
        assert "The interval is of 95 %" in note
        assert re.search(words, note)


def test_the_coverage_is_that_of_the_benchmark():
    found = json.loads(RESULT.read_text("utf-8"))["data_sets"]
    names = dict(
        zip(("mini_imagenet", "omniglot", "clinc150"), MEASURED_COVERAGE, strict=True)
    )
    measured = {
        names[key]: one["summary"]["coverage"]["mean"] for key, one in found.items()
    }
    assert pytest.approx(measured, abs=5e-4) == MEASURED_COVERAGE
