"""Which tasks are alike, said in three ways, and learned from."""

import keras
import numpy as np
import pytest
from many_tasks import tasks

from tfmeta.losses import ContrastiveLoss, TripletLoss
from tfmeta.tasks import (
    FeatureStatistics,
    TaskMetric,
    TaskNetwork,
    alike_batches,
    alike_by_classes,
    alike_by_gain,
    alike_by_group,
    transfer_gains,
)


def test_by_group():
    found = alike_by_group(["a", "b", "a"])
    assert found.tolist() == [
        [True, False, True],
        [False, True, False],
        [True, False, True],
    ]


def test_by_classes_is_a_share_of_the_smaller_task():
    classes = [{"a", "b", "c", "d"}, {"a", "b"}, {"d", "e", "f"}, {"x"}]
    found = alike_by_classes(classes, 0.5)
    for one, first in enumerate(classes):
        for other, second in enumerate(classes):
            share = len(first & second) / min(len(first), len(second))
            assert found[one, other] == (share >= 0.5)
    assert not alike_by_classes(classes, 0.5)[0, 2]
    assert alike_by_classes(classes, 1 / 3)[0, 2]


def test_by_gain_takes_the_best_of_both_ways():
    gains = np.array([[9.0, 1, 0, 0], [3, 9, 0, 0], [0, 0, 9, 0.5], [0, 1, 0, 9]])
    found = alike_by_gain(gains, 1 / 3)
    expected = np.eye(4, dtype=bool)
    # Means of both ways: 0 and 1 give 2; 1 and 3 give 0.5, 2 and 3 give 0.25.
    for one, other in ((0, 1), (1, 3), (2, 3)):
        expected[one, other] = expected[other, one] = True
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (alike_by_classes, ([{"a"}], 0), "`minimum`"),
        (alike_by_classes, ([{"a"}, set()],), "task 1"),
        (alike_by_gain, (np.zeros((2, 3)),), r"\(tasks, tasks\)"),
        (alike_by_gain, (np.full((2, 2), np.nan),), "finite"),
        (alike_by_gain, (np.zeros((2, 2)), 1.0), "`fraction`"),
    ],
)
def test_wrong_arguments(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


def test_a_task_gains_most_from_itself():
    network = TaskNetwork(3, 3, units=(8,), seed=0)
    rows, labels = tasks(5, rows=30)
    parameters = network.fit(rows, labels, steps=200)
    gains = transfer_gains(
        network, parameters, rows, labels, rows, labels, steps=3, learning_rate=0.05
    )
    assert gains.shape == (5, 5)
    assert (gains.argmax(axis=0) == np.arange(5)).mean() >= 0.8
    # By hand, of one pair: the body of task 1, a head of zeros, three steps on task 2.
    start = [part[1:2] for part in parameters[:-2]]
    start += [np.zeros((1, *shape), "float32") for shape in network.shapes[-2:]]
    options = {"steps": 3, "learning_rate": 0.05}
    warm = network.fit(rows[2:3], labels[2:3], start=start, **options)
    plain = network.fit(rows[2:3], labels[2:3], **options)
    losses = [network.losses(p, rows[2:3], labels[2:3])[0] for p in (plain, warm)]
    np.testing.assert_allclose(gains[1, 2], losses[0] - losses[1], atol=1e-5)


@pytest.mark.parametrize("loss", [ContrastiveLoss(balanced=True), TripletLoss(0.2)])
def test_a_distance_is_learned_of_pairs(loss):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, 120)
    rows, labels = tasks(120, features=4)
    rows[:, :, 0] += groups[:, None] * 0.7
    description = FeatureStatistics("none")(rows, labels)
    metric = TaskMetric.of(description, size=4, units=16, seed=0)
    alike = alike_by_group(groups.tolist())
    metric.compile(keras.optimizers.Adam(1e-2), loss=loss)
    batches = alike_batches(metric, description, alike, batch_size=60, seed=0)
    history = metric.fit(batches, epochs=15, shuffle=False, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]
    of_labels = loss(groups, metric.embed(description))
    of_pairs = loss(alike, metric.embed(description))
    np.testing.assert_allclose(of_pairs, of_labels, rtol=1e-6)


def test_pairs_must_be_of_the_tasks():
    description = FeatureStatistics()(*tasks(4))
    metric = TaskMetric.of(description, size=2, units=4, seed=0)
    with pytest.raises(ValueError, match=r"bool \(4, 4\)"):
        alike_batches(metric, description, np.eye(3, dtype=bool))
    one_way = np.triu(np.ones((4, 4), bool))
    with pytest.raises(ValueError, match="both ways"):
        alike_batches(metric, description, one_way)
    loss = ContrastiveLoss()
    with pytest.raises(ValueError, match=r"\(batch, batch\)"):
        loss(np.eye(3, dtype=bool), np.zeros((4, 2), "float32"))
