"""Descriptions are of the task: no order, no name, no padding is in them."""

import numpy as np
import pytest
from many_tasks import padded, tasks

from tfmeta.tasks import (
    AdaptedParameters,
    FeatureStatistics,
    FisherInformation,
    TaskNetwork,
    fisher_distances,
)

NETWORK = TaskNetwork(3, 3, units=(8,))
DESCRIBERS = {
    "statistics": FeatureStatistics("full"),
    "parameters": AdaptedParameters(NETWORK, steps=20),
    "fisher": FisherInformation(NETWORK, steps=20),
}


@pytest.fixture(params=DESCRIBERS)
def describer(request):
    return DESCRIBERS[request.param]


def close(found, wanted, rtol=1e-3):
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-5)


def test_the_order_of_examples_means_nothing(describer):
    rows, labels = tasks()
    order = np.random.default_rng(1).permutation(rows.shape[1])
    found = describer(rows[:, order], labels[:, order])
    wanted = describer(rows, labels)
    close(found.common, wanted.common)
    close(found.of_classes, wanted.of_classes)


def test_names_of_classes_mean_nothing(describer):
    rows, labels = tasks()
    order = [2, 0, 1]
    found = describer(rows, labels[:, :, order])
    wanted = describer(rows, labels)
    close(found.common, wanted.common)
    if wanted.of_classes.size:
        close(found.of_classes, wanted.of_classes[:, order])
    close(found.flat(), wanted.flat())


def test_padding_and_classes_that_are_not_there_mean_nothing(describer):
    rows, labels = tasks(ways=2)
    labels = np.concatenate([labels, np.zeros_like(labels[:, :, :1])], axis=2)
    found = describer(*padded(rows, labels))
    wanted = describer(rows, labels)
    close(found.common, wanted.common)
    close(found.of_classes, wanted.of_classes)
    if wanted.of_classes.size:
        np.testing.assert_array_equal(wanted.present, [[True, True, False]] * 4)
        assert not wanted.of_classes[:, 2].any()
    assert np.isfinite(found.flat()).all()


def test_statistics_are_those_of_numpy():
    rows, labels = tasks()
    found = FeatureStatistics("full")(rows, labels)
    for task in range(len(rows)):
        covariance = np.cov(rows[task].T, bias=True)
        # The squared length of the triangle is that of the matrix.
        triangle = found.common[task, 3:]
        close(found.common[task, :3], rows[task].mean(0))
        close(triangle @ triangle, (covariance**2).sum())
        of_class = rows[task][labels[task, :, 1] > 0]
        close(found.of_classes[task, 1], of_class.mean(0))
    diagonal = FeatureStatistics("diagonal")(rows, labels).common[:, 3:]
    close(diagonal, rows.var(axis=1))


def test_fisher_information_is_the_mean_square_of_gradients():
    """By central differences of log p, for every example, label and weight."""
    rows, labels = tasks(1, rows=4)
    found = FisherInformation(NETWORK, steps=20)(rows, labels).common[0]
    weights, bias = (part.astype("float64") for part in NETWORK.start()[:2])
    head = TaskNetwork(8, 3, units=())
    hidden = np.maximum(rows @ weights + bias, 0).astype("float32")
    matrix, offset = (
        p.numpy()[0].astype("float64") for p in head.fit(hidden, labels, steps=20)
    )

    def log_answers(weights, bias, row):
        logits = np.maximum(row @ weights + bias, 0) @ matrix + offset
        return logits - np.log(np.exp(logits).sum())

    size = 1e-6
    wanted = np.zeros(8)
    for row in rows[0].astype("float64"):
        answers = np.exp(log_answers(weights, bias, row))
        for unit in range(8):
            squares = []
            for place in range(4):  # three weights and the bias
                ends = []
                for sign in (1, -1):
                    w, b = weights.copy(), bias.copy()
                    if place < 3:
                        w[place, unit] += sign * size
                    else:
                        b[unit] += sign * size
                    ends.append(log_answers(w, b, row))
                gradient = (ends[0] - ends[1]) / (2 * size)
                squares.append(answers @ gradient**2)
            wanted[unit] += np.mean(squares) / 4
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-7)


def test_fisher_distances():
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 6)), rng.random((2, 6))
    first[0, 0] = second[1, 0] = 0
    found = fisher_distances(first, second)
    for i in range(3):
        for j in range(2):
            total = np.maximum(first[i] + second[j], 1e-30)
            a = np.where(total > 1e-30, first[i] / total, 0.5)
            b = 1 - a
            wanted = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            assert found[i, j] == pytest.approx(wanted)
    np.testing.assert_allclose(np.diag(fisher_distances(first, first)), 0, atol=1e-12)
    zeros = np.zeros((1, 6))
    assert fisher_distances(zeros, zeros) == pytest.approx(0)


def test_wrong_arguments():
    rows, labels = tasks()
    with pytest.raises(ValueError, match="`covariance` must be none, diagonal or full"):
        FeatureStatistics("both")
    with pytest.raises(ValueError, match="`network` must be of one hidden layer"):
        FisherInformation(TaskNetwork(3, 3, units=(4, 4)))
    with pytest.raises(ValueError, match="`rows` must be .tasks, rows, features."):
        FeatureStatistics()(rows[0], labels)
    rows[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="`rows` must be finite"):
        FeatureStatistics()(rows, labels)
