"""Over many tasks estimates are right on average, and intervals hold the truth."""

import numpy as np
import pytest

from tfmeta.estimation import expect

WAYS, SHOTS, FEATURES, TASKS = 5, 10, 16, 120


@pytest.mark.slow
def test_estimates_beside_the_truth_of_a_simulation():
    gaps, held = [], []
    labels = np.repeat(np.arange(WAYS), SHOTS)
    for task in range(TASKS):
        rng = np.random.default_rng([task, 1])
        centres = rng.normal(size=(WAYS, FEATURES))
        spread = rng.uniform(1.0, 2.5)

        def drawn(of, rng=rng, centres=centres, spread=spread):
            noise = spread * rng.normal(size=(len(of), FEATURES))
            rows = (centres[of] + noise).astype(np.float32)
            return rows, rows / np.linalg.norm(rows, axis=1, keepdims=True)

        features, unit = drawn(labels)
        found = expect(features, list(map(str, labels)), head="simple_shot", seed=task)
        means = np.stack([unit[labels == label].mean(axis=0) for label in range(WAYS)])
        of_query = np.repeat(np.arange(WAYS), 400)
        _, queries = drawn(of_query)
        squares = ((queries[:, None] - means) ** 2).sum(axis=2)
        truth = (squares.argmin(axis=1) == of_query).mean()
        gaps.append(found.accuracy.value - truth)
        held.append(found.accuracy.low <= truth <= found.accuracy.high)
    gaps = np.array(gaps)
    assert np.abs(gaps).mean() < 0.06
    # Four standard deviations of the mean of so many tasks.
    assert abs(gaps.mean()) < 0.005 + 4 * gaps.std() / TASKS**0.5
    assert np.mean(held) > 0.88
