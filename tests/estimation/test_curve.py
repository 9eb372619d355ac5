"""The curve goes through what simulation says, and on as a power law."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm

from tfmeta.estimation.curve import PowerLaw, curve_of, fit_power_law
from tfmeta.estimation.folds import stratified_folds
from tfmeta.estimation.heads import head_on_features
from tfmeta.estimation.leaving_out import leave_out
from tfmeta.estimation.refits import Refits

FEATURES = 8
# Distance of the two means, in standard deviations.
DISTANCE = 2.4
TASKS = 25


@pytest.fixture(scope="module")
def nearest_mean():
    return head_on_features("simple_shot", FEATURES, transform="none")


def two_gaussians(rng, shots):
    labels = np.repeat([0, 1], shots)
    features = rng.normal(size=(len(labels), FEATURES))
    features[:, 0] += DISTANCE * labels
    return features.astype(np.float32), labels


def true_accuracy(rng, shots, supports=4000):
    """Of the nearest mean of so many shots, over supports; exact for queries."""
    means = rng.normal(size=(2, supports, FEATURES)) / np.sqrt(shots)
    means[1, :, 0] += DISTANCE
    across = means[1] - means[0]
    middle = (across * (means[0] + means[1])).sum(axis=1) / 2
    length = np.linalg.norm(across, axis=1)
    # A query of either class projects to a normal distribution.
    first = norm.cdf(middle / length)
    second = norm.cdf((across[:, 0] * DISTANCE - middle) / length)
    return float((first + second).mean() / 2)


def test_the_curve_is_that_of_the_simulation(nearest_mean):
    rng = np.random.default_rng(0)
    curves, expected = [], []
    for task in range(TASKS):
        features, labels = two_gaussians(rng, 20)
        splits = stratified_folds(labels, 5, seed=task)
        refits = Refits(nearest_mean, features, labels, 2)
        right = leave_out(refits, splits, labels).right.mean()
        accuracy, curve = curve_of(refits, splits, labels, right, seed=task)
        curves.append([point.accuracy.value for point in curve])
        expected.append(accuracy.value)
        assert [p.shots for p in curve] == [1, 2, 5, 10, 20, 40]
        assert [p.measured for p in curve] == [True] * 5 + [False]
        assert curve[-2].accuracy == accuracy
        last = curve[-1].accuracy
        assert accuracy.value <= last.value <= 1
        assert last.high - last.low >= accuracy.high - accuracy.low - 1e-9
    means, errors = np.mean(curves, axis=0), np.std(curves, axis=0, ddof=1) / TASKS**0.5
    truth = [true_accuracy(rng, shots) for shots in (1, 2, 5, 10, 20, 40)]
    assert np.all(np.abs(means - truth) < 3 * errors + 0.004), (means, truth)
    # The best that any rule can do.
    assert truth[-1] < norm.cdf(DISTANCE / 2)


@pytest.mark.parametrize("exponent", [0.4, 0.75, 1.2])
def test_a_power_law_is_found_again(exponent):
    shots = np.array([1, 2, 5, 8.0])
    law = PowerLaw(0.93, 0.4, exponent)
    found = fit_power_law(shots, np.array([law.at(n) for n in shots]))
    np.testing.assert_allclose(found, law, atol=1e-9)


def test_the_fit_is_that_of_scipy():
    rng = np.random.default_rng(1)
    shots = np.array([1, 2, 5, 8.0])
    for _ in range(10):
        seen = PowerLaw(0.9, 0.35, 0.7).at(1) + 0.1 * np.log(shots)
        seen = seen + 0.01 * rng.normal(size=4)
        found = fit_power_law(shots, seen)
        by_scipy, _ = curve_fit(
            lambda n, a, b, c=found.exponent: a - b * n**-c,
            shots,
            seen,
            p0=(0.9, 0.3),
            bounds=([-2, 0], [1, 2]),
        )
        np.testing.assert_allclose(found[:2], by_scipy, atol=1e-4)


@pytest.mark.parametrize(
    "seen", [[0.9, 0.8, 0.7, 0.6], [0.2, 0.6, 0.95, 1.0], [1.0] * 4]
)
def test_a_law_never_falls_and_ends_below_one(seen):
    law = fit_power_law(np.array([1, 2, 5, 8]), np.array(seen))
    values = [law.at(n) for n in (1, 2, 5, 10, 100, 10_000)]
    assert np.all(np.diff(values) >= 0) and values[-1] <= 1
