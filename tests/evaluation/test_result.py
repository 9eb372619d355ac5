import dataclasses
import json
import math

import numpy as np
import pytest

from tfmeta.evaluation import (
    Confusion,
    EvaluationResult,
    Reliability,
    Transduction,
    compare,
    over_test_classes,
)

PROTOCOL = {
    "table": "toy",
    "fingerprint": "0123",
    "ways": 5,
    "shots": [1, 3],
    "queries": 4,
    "tasks": 2,
    "seed": 7,
    "same_group": False,
    "allow_same_origin": False,
    "augment": None,
    "episodes": 6,
}


@pytest.fixture
def result():
    return EvaluationResult(
        protocol=dict(PROTOCOL),
        transductive=False,
        episode_accuracies=np.array([0.5, 0.75, 1.0, 0.25, 0.5, 1 / 3]),
        class_names=("a/rot000", "a/rot090", "b", "ç"),
        class_clusters=("toy/a", "toy/a", "toy/b", "toy/ç"),
        class_correct=np.array([10, 12, 20, 0]),
        class_total=np.array([20, 24, 40, 0]),
        episode_classes=np.array([[0, 2], [1, 2], [2, 3], [0, 3], [3, 1], [2, -1]]),
        reliability=Reliability.of(np.array([0.3, 0.9]), np.array([False, True])),
        confusion=Confusion.of(np.array([0, 0, 3, 2]), np.array([1, 1, 0, 2])),
        transduction=Transduction(np.array([0.5, 0.25]), np.array([0.25, 0.25]), 3),
    )


def changed(result, accuracies=None, **protocol):
    return dataclasses.replace(
        result,
        protocol={**result.protocol, **protocol},
        episode_accuracies=(
            result.episode_accuracies if accuracies is None else np.array(accuracies)
        ),
    )


def test_figures(result):
    assert result.accuracy == pytest.approx((0.5 + 0.75 + 1 + 0.25 + 0.5 + 1 / 3) / 6)
    found = result.over_test_classes
    # The last episode has one way, of a class that so cannot be left out.
    assert found.ends is None and "'toy/b'" in found.reason
    # One character with two rotations, another one, and one without queries.
    assert result.num_clusters == 2


def test_json_gives_back_every_figure(result):
    again = EvaluationResult.from_json(json.loads(json.dumps(result.to_json())))
    for field in dataclasses.fields(EvaluationResult):
        mine, other = getattr(result, field.name), getattr(again, field.name)
        assert type(mine) is type(other)
        if dataclasses.is_dataclass(mine):
            mine, other = vars(mine), vars(other)
            assert [v.dtype for v in mine.values() if isinstance(v, np.ndarray)] == [
                v.dtype for v in other.values() if isinstance(v, np.ndarray)
            ]
        np.testing.assert_equal(other, mine)
    assert again.episode_accuracies.dtype == np.float64
    assert again.class_total.dtype == again.class_correct.dtype == np.int64
    assert str(again) == str(result)
    assert compare(result, again).difference == 0


def test_results_of_a_former_version_lack_what_it_did_not_measure(result):
    values = json.loads(json.dumps(result.to_json()))
    for name in ("reliability", "expected_calibration_error", "transduction"):
        del values[name]
    values["over_test_classes"] = [0.5, 0.6]
    del values["episode_classes"]
    for of_class in values["classes"]:
        del of_class["taken_for"]
    old = EvaluationResult.from_json(values)
    assert (old.reliability, old.confusion, old.transduction) == (None,) * 3
    assert old.expected_calibration_error is None
    assert "calibration" not in str(old)
    # The former interval is not kept: it was another one.
    assert old.over_test_classes.ends is None
    assert "95 % over test classes    none: the classes of the episodes" in str(old)
    values["over_test_classes"] = old.over_test_classes.to_json()
    assert old.to_json() == {**values, "episode_classes": None}


def test_wrong_answers_are_kept_by_name(result):
    taken = {c["name"]: c["taken_for"] for c in result.to_json()["classes"]}
    assert taken == {
        "a/rot000": {"a/rot090": 2},
        "a/rot090": {},
        "b": {},
        "ç": {"a/rot000": 1},
    }
    np.testing.assert_array_equal(result.class_recall, [0.5, 0.5, 0.5, np.nan])


def test_the_figures_beside_a_transductive_one_are_printed(result):
    lines = str(result).splitlines()
    assert any("calibration error         0.2000" in line for line in lines)
    (alone,) = [line for line in lines if "each query by itself" in line]
    assert "37.50 ± 24.50" in alone and "inductive" in alone
    (unequal,) = [line for line in lines if "unequal classes" in line]
    assert "25.00 ± 0.00" in unequal and "3 queries a class" in unequal
    none = dataclasses.replace(result.transduction, unequal=None, unequal_queries=0)
    said = str(dataclasses.replace(result, transduction=none))
    assert "unequal classes           not measured" in said
    again = Transduction.from_json(json.loads(json.dumps(none.to_json())))
    assert again.unequal is None


def test_the_area_under_the_curve_is_kept_and_printed(result):
    areas = np.array([0.5, 0.75, 1.0, 0.25, 0.5, 0.9])
    assert (result.auroc, result.auroc_over_episode_draws) == (None, None)
    assert "auroc" not in "".join(result.to_json()) and "AUROC" not in str(result)
    binary = dataclasses.replace(result, episode_auroc=areas)
    assert binary.auroc == pytest.approx(0.65)
    spread = math.sqrt(sum((a - 0.65) ** 2 for a in areas) / 5)
    half_width = 1.96 * spread / math.sqrt(6)
    assert binary.auroc_over_episode_draws == pytest.approx(half_width)
    again = EvaluationResult.from_json(json.loads(json.dumps(binary.to_json())))
    np.testing.assert_array_equal(again.episode_auroc, areas)
    assert again.to_json() == binary.to_json()
    assert f"0.6500 ± {half_width:.4f}" in str(binary)
    assert binary.auroc_over_test_classes == over_test_classes(
        areas, result.episode_classes, result.class_clusters
    )
    assert "    95 % over test classes  none: every episode" in str(binary)


@pytest.mark.parametrize(
    ("ways", "chance"), [(5, 0.2), ([2, 4], (1 / 2 + 1 / 3 + 1 / 4) / 3)]
)
def test_chance(result, ways, chance):
    assert changed(result, ways=ways).chance == pytest.approx(chance)


def test_text_says_what_was_measured_and_what_intervals_cover(result):
    text = str(changed(result, shots=1))
    for part in (
        "5-way 1-shot on toy",
        "4 queries",
        ", inductive",
        "55.56 %",
        "95 % over episode draws",
        "6 episodes, seed 7",
        "95 % over test classes    none: every episode of 1 ways holds 'toy/b'",
    ):
        assert part in text
    assert "transductive" not in text
    text = str(dataclasses.replace(result, transductive=True))
    assert ", transductive" in text
    assert "inductive:" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table", "other"),
        ("fingerprint", "4567"),
        ("ways", 20),
        ("shots", [1, 4]),
        ("queries", 15),
        ("tasks", 3),
        ("seed", 8),
        ("same_group", True),
        ("allow_same_origin", True),
        ("augment", "RandomAffine()"),
        ("episodes", 7),
    ],
)
def test_other_protocols_do_not_compare(result, name, value):
    other = changed(result, **{name: value})
    for pair in ((result, other), (other, result)):
        with pytest.raises(ValueError, match=f"`{name}` must agree"):
            compare(*pair)


def test_a_protocol_with_more_to_it_does_not_compare(result):
    with pytest.raises(ValueError, match="`dirichlet` must agree.*None and 2"):
        compare(result, changed(result, dirichlet=2))
