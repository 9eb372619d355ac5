"""Sine waves as tasks."""

import numpy as np
import pytest

from tfmeta.episodes import Sinusoids


def test_points_lie_on_the_waves():
    episodes = Sinusoids(shots=5, queries=7, tasks=4, seed=3)
    inputs, y = episodes.batch(2)
    amplitude, phase = (part.numpy()[:, None, None] for part in episodes.waves(2))
    for x, heights in (
        (inputs["support"], inputs["support_labels"]),
        (inputs["query"], y),
    ):
        expected = amplitude * np.sin(x.numpy() - phase)
        np.testing.assert_allclose(heights, expected, atol=1e-5)
    assert inputs["support"].shape == (4, 5, 1) and y.shape == (4, 7, 1)


def test_what_is_drawn_is_uniform_between_its_ends():
    episodes = Sinusoids(tasks=4000, queries=1, shots=1)
    drawn = [*episodes.waves(0), episodes.batch(0)[0]["support"]]
    for values, (low, high) in zip(
        drawn, ((0.1, 5.0), (0.0, np.pi), (-5.0, 5.0)), strict=True
    ):
        counts, _ = np.histogram(values, bins=8, range=(low, high))
        assert counts.sum() == 4000
        # Chi-squared of 7 degrees of freedom: 1 in 10,000 is beyond 29.9.
        assert np.sum((counts - 500) ** 2 / 500) < 29.9


def test_batches_are_functions_of_seed_and_step():
    def points(seed, step):
        return Sinusoids(seed=seed).batch(step)[0]["support"].numpy()

    np.testing.assert_array_equal(points(1, 5), points(1, 5))
    for seed, step in ((1, 6), (2, 5), (0, 6)):
        assert not np.any(points(1, 5) == points(seed, step))
    first = next(iter(Sinusoids(seed=1).as_dataset(start=5)))
    np.testing.assert_array_equal(first[0]["support"], points(1, 5))


@pytest.mark.parametrize("name", ["shots", "queries", "tasks"])
def test_counts_are_positive(name):
    with pytest.raises(ValueError, match=f"`{name}`.*{name}=0"):
        Sinusoids(**{name: 0})
