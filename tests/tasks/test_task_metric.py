"""A distance that is learned over tasks finds which are alike."""

import keras
import numpy as np
import pytest
from many_tasks import tasks

from tfmeta.losses import TripletLoss
from tfmeta.tasks import Description, FeatureStatistics, TaskMetric


def of_groups(count, *, seed):
    """Tasks whose group is in the correlation of two features, and in no mean."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 4, count)
    rows, labels = tasks(count, rows=30, features=4, seed=seed)
    first, second = np.array([(0, 1), (1, 2), (2, 3), (3, 0)])[groups].T
    every = np.arange(count)
    rows[every, :, second] = rows[every, :, first] + rng.normal(size=(count, 30)) * 0.2
    return FeatureStatistics("full")(rows, labels), groups


def precision(embeddings, groups):
    distances = np.linalg.norm(embeddings[:, None] - embeddings, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return np.mean(groups[distances.argmin(axis=1)] == groups)


def test_it_learns_which_tasks_are_alike():
    description, groups = of_groups(400, seed=0)
    new, of_new = of_groups(200, seed=1)
    metric = TaskMetric.of(description, size=8, units=32, seed=0)
    before = precision(metric.embed(new), of_new)
    metric.compile(keras.optimizers.Adam(3e-3), loss=TripletLoss(margin=0.2))
    metric.fit(metric.inputs(description), groups, batch_size=100, epochs=15, verbose=0)
    after = precision(metric.embed(new), of_new)
    assert after > before + 0.2 and after > 0.8


def test_classes_have_no_order_and_padding_no_part(tmp_path):
    rng = np.random.default_rng(0)
    present = np.array([[True, True, False], [True, True, True]])
    description = Description(
        rng.normal(size=(2, 5)).astype("float32"),
        rng.normal(size=(2, 3, 4)).astype("float32"),
        present,
    )
    metric = TaskMetric.of(description, size=3, units=8, seed=0)
    embeddings = metric.embed(description)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    order = [1, 2, 0]
    turned = Description(
        description.common, description.of_classes[:, order], present[:, order]
    )
    np.testing.assert_allclose(metric.embed(turned), embeddings, atol=1e-6)
    other = description.of_classes.copy()
    other[0, 2] = 100
    padded = Description(description.common, other, present)
    np.testing.assert_allclose(metric.embed(padded), embeddings, atol=1e-6)
    metric.save(tmp_path / "metric.keras")
    again = keras.saving.load_model(tmp_path / "metric.keras")
    np.testing.assert_array_equal(again.embed(description), embeddings)


def test_without_hidden_layers_it_begins_as_the_distance_of_what_is_common():
    description, groups = of_groups(600, seed=0)
    common = description.common
    metric = TaskMetric.of(description, size=common.shape[1], units=0, seed=0)
    standard = (common - common.mean(0)) / common.std(0)
    expected = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    np.testing.assert_allclose(metric.embed(description), expected, atol=1e-5)
    new, of_new = of_groups(400, seed=1)
    before = precision(metric.embed(new), of_new)
    metric.compile(keras.optimizers.Adam(1e-2), loss=TripletLoss(margin=0.2))
    metric.fit(metric.inputs(description), groups, batch_size=100, epochs=30, verbose=0)
    after = precision(metric.embed(new), of_new)
    assert after > before + 0.1 and after > 0.9
    again = metric.copy()
    np.testing.assert_array_equal(again.embed(new), metric.embed(new))
    with pytest.raises(ValueError, match="`common` must be above 0"):
        TaskMetric(0, 3, units=0)
