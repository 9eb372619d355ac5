import json

import numpy as np
import pytest

from tfmeta.evaluation import compare
from tfmeta.runs.compare import compare_runs
from tfmeta.runs.earlier_results import complete_results
from tfmeta.runs.measuring.on_episodes import METRICS_FORMAT_VERSION, read_results
from tfmeta.runs.measuring.standard import draw_test_episodes
from tfmeta.runs.run_folder import RunFolder, write_json


@pytest.fixture
def folder(run_copy):
    """A run whose figure was kept by a former version."""
    folder = RunFolder(run_copy)
    values = json.loads(folder.metrics_file.read_text(encoding="utf-8"))
    for result in values["results"]:
        del result["episode_classes"]
        result["over_test_classes"] = [0.2, 0.3]
    write_json(folder.metrics_file, {**values, "format_version": 2})
    return folder


def test_the_interval_of_a_former_figure_is_made_anew(folder, glyphs_run):
    (former,) = read_results(folder)
    assert former.over_test_classes.ends is None
    complete_results(folder)
    (found,) = read_results(folder)
    (expected,) = read_results(RunFolder(glyphs_run))
    assert found.to_json() == expected.to_json()
    assert found.over_test_classes.ends is not None
    values = json.loads(folder.metrics_file.read_text(encoding="utf-8"))
    assert values["format_version"] == METRICS_FORMAT_VERSION == 4
    before = folder.metrics_file.read_bytes()
    complete_results(folder)  # Nothing is left to do.
    assert folder.metrics_file.read_bytes() == before


def test_figures_of_other_data_stay_as_they_are(folder):
    values = json.loads(folder.metrics_file.read_text(encoding="utf-8"))
    values["results"][0]["protocol"]["fingerprint"] = "of other pictures"
    write_json(folder.metrics_file, values)
    complete_results(folder)
    (found,) = read_results(folder)
    assert found.episode_classes is None and found.over_test_classes.ends is None


def test_two_former_figures_compare_with_an_interval(folder, glyphs_run):
    episodes = draw_test_episodes(folder.read_config())
    found = compare_runs(folder, folder, episodes, num_episodes=600)
    (expected,) = read_results(RunFolder(glyphs_run))
    np.testing.assert_array_equal(found.first.episode_classes, expected.episode_classes)
    assert found.difference == compare(expected, expected)
    # The same twice: no class has any part in a difference of nothing.
    assert "all episodes give the same" in str(found.difference)
