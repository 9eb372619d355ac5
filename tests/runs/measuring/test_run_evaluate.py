import json

import pytest

from tfmeta.evaluation import compare
from tfmeta.runs.measuring.on_episodes import (
    METRICS_FORMAT_VERSION,
    find_result,
    read_results,
)
from tfmeta.runs.measuring.realistic import draw_realistic_episodes
from tfmeta.runs.measuring.standard import draw_test_episodes as episodes_of
from tfmeta.runs.measuring.standard import evaluate_run
from tfmeta.runs.run_folder import RunFolder, write_json
from tfmeta.runs.train import load_learner


@pytest.fixture
def folder(run_copy):
    return RunFolder(run_copy)


@pytest.fixture(scope="module")
def learner(glyphs_run):
    return load_learner(RunFolder(glyphs_run))


@pytest.fixture(scope="module")
def episodes(glyphs_run):
    return episodes_of(RunFolder(glyphs_run).read_config())


def must_not_begin(done, of_all):
    raise AssertionError("work was done before the check")


def test_episodes_are_those_of_the_run(glyphs_run, episodes):
    config = RunFolder(glyphs_run).read_config()
    assert (episodes.ways, episodes.shots, episodes.queries) == (5, 1, 5)
    assert episodes.table.name == "glyphs-seed0"
    assert episodes.seed == 0
    other = episodes_of(
        config, config.test.with_given(ways=7, shots=2, queries=3), seed=9
    )
    assert (other.ways, other.shots, other.queries, other.seed) == (7, 2, 3, 9)


def test_classes_of_one_group_where_the_run_has_them(glyphs_run):
    config = RunFolder(glyphs_run).read_config()
    alike = config.with_options({"same_group": True})
    assert not episodes_of(config).describe()["same_group"]
    assert episodes_of(alike).describe()["same_group"]
    task = alike.test.with_given(ways=3, queries=2)
    # Side by side the first column is of all groups, whatever the run trained on.
    columns = draw_realistic_episodes(alike, task, seed=6).columns
    described = [episodes.describe() for episodes in columns.values()]
    assert [d["same_group"] for d in described] == [False, True, False]
    assert [d["ways"] for d in described] == [3, 3, 240]
    assert {(d["shots"], d["queries"], d["seed"]) for d in described} == {(1, 2, 6)}


def test_the_figure_of_the_training_comes_out_again(folder, learner, episodes):
    (trained,) = read_results(folder)
    again = evaluate_run(folder, learner, episodes, num_episodes=600)
    assert compare(trained, again).difference == pytest.approx(0, abs=1e-6)
    # The same protocol: replaced, not added.
    (kept,) = read_results(folder)
    assert kept.to_json() == again.to_json()


def test_another_protocol_is_another_figure(folder, learner, episodes):
    (trained,) = read_results(folder)
    found = evaluate_run(folder, learner, episodes, num_episodes=610)
    assert found.protocol["episodes"] == 610
    assert [r.to_json() for r in read_results(folder)] == [
        trained.to_json(),
        found.to_json(),
    ]
    # Episodes of one seed begin alike, however many there are.
    assert found.episode_accuracies[:600] == pytest.approx(
        trained.episode_accuracies, abs=1e-6
    )
    values = json.loads(folder.metrics_file.read_text(encoding="utf-8"))
    assert values["format_version"] == METRICS_FORMAT_VERSION


def test_figures_of_the_first_format_are_read_and_carried_on(folder, learner, episodes):
    values = json.loads(folder.metrics_file.read_text(encoding="utf-8"))
    (new,) = values["results"]
    for name in ("reliability", "expected_calibration_error"):
        del new[name]
    for of_class in new["classes"]:
        del of_class["taken_for"]
    write_json(folder.metrics_file, {"format_version": 1, "results": [new]})
    (old,) = read_results(folder)
    assert old.reliability is None and old.confusion is None
    assert find_result(folder, episodes, num_episodes=600).to_json() == old.to_json()
    assert find_result(folder, episodes, num_episodes=601) is None
    found = evaluate_run(folder, learner, episodes, num_episodes=610)
    assert compare(old, old).difference == 0
    values = json.loads(folder.metrics_file.read_text(encoding="utf-8"))
    assert values["format_version"] == METRICS_FORMAT_VERSION
    assert values["results"] == [old.to_json(), found.to_json()]


def test_a_figure_need_not_be_kept(folder, learner, episodes, hash_tree):
    before = hash_tree(folder.path)
    evaluate_run(folder, learner, episodes, num_episodes=601, keep=False)
    assert hash_tree(folder.path) == before


def test_a_run_without_figures_has_none(folder):
    folder.metrics_file.unlink()
    assert read_results(folder) == []


def test_test_classes_that_were_seen_give_no_figure(folder, learner, episodes):
    classes = json.loads(folder.classes_file.read_text())
    classes["validation"].append(episodes.table.origins[3])
    write_json(folder.classes_file, classes)
    before = folder.metrics_file.read_bytes()
    with pytest.raises(ValueError, match=f"among them {episodes.table.origins[3]}"):
        evaluate_run(folder, learner, episodes, on_progress=must_not_begin)
    assert folder.metrics_file.read_bytes() == before


def test_not_knowing_what_was_seen_gives_no_figure(folder, learner, episodes):
    folder.classes_file.unlink()
    with pytest.raises(FileNotFoundError, match="classes.json"):
        evaluate_run(folder, learner, episodes, on_progress=must_not_begin)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format_version": 1, "results": [{"pro', "must be a JSON file"),
        ('{"format_version": 1}', "without results"),
        ('{"format_version": 5, "results": []}', "from a newer tfmeta"),
        ('{"format_version": 1, "results": [{}]}', "remove the file"),
        ("[]", "without `format_version`"),
    ],
)
def test_damaged_figures_show_before_the_work(folder, learner, episodes, text, message):
    folder.metrics_file.write_text(text)
    with pytest.raises(ValueError, match=f"metrics.json.*{message}"):
        evaluate_run(folder, learner, episodes, on_progress=must_not_begin)
    assert folder.metrics_file.read_text() == text
