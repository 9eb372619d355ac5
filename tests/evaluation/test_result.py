import dataclasses
import json
import math

import numpy as np
import pytest

from tfmeta.evaluation import EvaluationResult, compare

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
    assert result.over_test_classes == pytest.approx((0.5, 0.5))
    # One character with two rotations, another one, and one without queries.
    assert result.num_clusters == 2


def test_json_gives_back_every_figure(result):
    again = EvaluationResult.from_json(json.loads(json.dumps(result.to_json())))
    for field in dataclasses.fields(EvaluationResult):
        mine, other = getattr(result, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(other))
        assert type(mine) is type(other)
    assert again.episode_accuracies.dtype == np.float64
    assert again.class_total.dtype == again.class_correct.dtype == np.int64
    assert str(again) == str(result)
    assert compare(result, again).difference == 0


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
        "95 % over test classes    50.00 to 50.00",
        "2 classes",
    ):
        assert part in text
    assert "transductive" not in text
    text = str(dataclasses.replace(result, transductive=True))
    assert ", transductive" in text
    assert "inductive:" not in text


def test_comparison_by_hand(result):
    other = changed(result, [0.25, 0.75, 0.5, 0.25, 0.0, 1 / 3])
    found = compare(result, other)
    differences = [0.25, 0.0, 0.5, 0.0, 0.5, 0.0]
    mean = sum(differences) / 6
    variance = sum((d - mean) ** 2 for d in differences) / 5
    assert found.difference == pytest.approx(mean, abs=1e-12)
    assert found.half_width == pytest.approx(1.96 * math.sqrt(variance / 6), abs=1e-12)
    assert found.episodes == 6
    assert compare(other, result).difference == -found.difference
    assert "+20.83" in str(found)
    assert "6 identical episodes" in str(found)


def test_what_both_share_cancels(result):
    generator = np.random.default_rng(0)
    hardness = generator.uniform(0.2, 0.9, 600)
    first = changed(result, hardness + generator.normal(0.03, 0.02, 600))
    second = changed(result, hardness)
    found = compare(first, second)
    # The separate intervals overlap, the paired one is far from 0.
    assert first.accuracy - second.accuracy < (
        first.over_episode_draws + second.over_episode_draws
    )
    assert found.difference > 10 * found.half_width


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
