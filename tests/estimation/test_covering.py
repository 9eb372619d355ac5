"""Greedy covering, against recomputing every gain in float64 and against the best."""

import itertools

import numpy as np
import pytest

from tfmeta.estimation.covering import Cover, directions, squared_distances


def some_points(seed, count=30):
    rng = np.random.default_rng(seed)
    points = directions(rng.normal(size=(count, 4)))
    squares = squared_distances(points, points)
    np.fill_diagonal(squares, 0.0)
    covered = np.exp(-squares[:, 0] * 3).astype(np.float32)
    return np.exp(-squares), covered, rng.random(count).astype(np.float32)


def taken(cover, count):
    found = []
    for point in cover.greedy():
        found.append(point)
        cover.take(point)
        if len(found) == count:
            break
    return found


def value(similarities, covered, weights, chosen):
    best = np.maximum(covered, similarities[list(chosen)].max(axis=0))
    return float(weights.astype(np.float64) @ (best.astype(np.float64) - covered))


@pytest.mark.parametrize("seed", range(10))
def test_each_choice_has_the_largest_gain_of_all(seed):
    parts = some_points(seed)
    chosen = taken(Cover(*parts), 12)
    for place in range(len(chosen)):
        before = chosen[:place]
        values = [value(*parts, [*before, point]) for point in range(30)]
        assert values[chosen[place]] == pytest.approx(max(values), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_set_is_much_better(seed):
    similarities, covered, weights = some_points(seed, 12)
    found = value(
        similarities,
        covered,
        weights,
        taken(Cover(similarities, covered, weights), 3),
    )
    best = max(
        value(similarities, covered, weights, chosen)
        for chosen in itertools.combinations(range(12), 3)
    )
    assert (1 - 1 / np.e) * best <= found <= best + 1e-5


def test_it_ends_where_nothing_is_gained():
    similarities = np.ones((3, 3), np.float32)
    similarities[2, :2] = similarities[:2, 2] = 0.5
    covered = np.zeros(3, np.float32)
    assert taken(Cover(similarities, covered, np.ones(3, np.float32)), 3) == [0, 2]
    assert taken(Cover(similarities, covered, np.zeros(3, np.float32)), 3) == []


def test_gain_and_how_many_are_nearer():
    similarities = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]], np.float32)
    cover = Cover(
        similarities,
        np.array([0.0, 0.6, 0.0], np.float32),
        np.array([1.0, 2.0, 3.0], np.float32),
    )
    # 1 · 1 + 2 · 0; 1 · 0.5 + 2 · 0.4; 3 · 1.
    assert [cover.gain(point) for point in range(3)] == pytest.approx([1.0, 1.3, 3.0])
    assert [cover.nearest_to(point) for point in range(3)] == [1, 2, 1]
    cover.take(2)
    assert cover.gain(2) == 0.0


def test_directions_of_any_finite_numbers():
    rows = np.array([[3.0, 4.0], [3e30, 4e30], [3e-30, 4e-30], [0.0, 0.0]])
    found = directions(rows.astype(np.float32))
    expected = [[0.6, 0.8]] * 3 + [[0.0, 0.0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
