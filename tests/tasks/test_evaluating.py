"""What is said of retrieval and of starts, by hand."""

import numpy as np
import pytest
from many_tasks import tasks

from tfmeta.datasets import ClassTable
from tfmeta.tasks import TaskNetwork
from tfmeta.tasks.candidates import nearest_mean_accuracies
from tfmeta.tasks.drawn_tasks import draw_tasks, halved_groups
from tfmeta.tasks.evaluating import (
    accuracies_from,
    chance_of_retrieval,
    figure_of,
    regret,
    retrieved,
    standardised,
)
from tfmeta.tasks.reduced_encoder import principal_components


def table(groups=3, classes=6, examples=8):
    rng = np.random.default_rng(0)
    names = [f"g{g}c{c}" for g in range(groups) for c in range(classes)]
    return ClassTable.from_arrays(
        "numbers",
        rng.normal(size=(len(names) * examples, 4)).astype("float32"),
        np.repeat(names, examples),
        groups={name: name[:2] for name in names},
    )


def test_retrieval_by_hand():
    rng = np.random.default_rng(0)
    known, new = rng.normal(size=(20, 3)), rng.normal(size=(6, 3))
    groups, of_new = rng.choice(list("abc"), 20), rng.choice(list("abc"), 6)
    found = retrieved(known, groups, new, of_new, neighbours=4)
    for task in range(6):
        order = np.argsort(np.linalg.norm(known - new[task], axis=1))[:4]
        assert found[task] == np.mean(groups[order] == of_new[task])
    chance = chance_of_retrieval(groups, of_new)
    np.testing.assert_allclose(chance, [np.mean(groups == g) for g in of_new])


def test_what_does_not_differ_says_nothing():
    known = np.array([[1.0, 5, 0], [3, 5, 2]])
    one, other = standardised(known, np.array([[2.0, 99, 4]]))
    np.testing.assert_allclose(one, [[-1, 0, -1], [1, 0, 1]])
    np.testing.assert_allclose(other, [[0, 0, 3]])


def test_accuracies_are_those_of_trained_networks():
    network = TaskNetwork(3, 3, units=(4,), seed=0)
    rows, labels = tasks(5, rows=30)
    start = network.started(5)
    found = accuracies_from(
        network,
        {"plain": start},
        rows[:, :15],
        labels[:, :15],
        rows[:, 15:],
        labels[:, 15:],
        steps=(0, 7),
    )["plain"]
    for column, steps in enumerate((0, 7)):
        trained = network.fit(rows[:, :15], labels[:, :15], steps=steps)
        answers = network(trained, rows[:, 15:]).numpy().argmax(axis=-1)
        right = (answers == labels[:, 15:].argmax(axis=-1)).mean(axis=1)
        np.testing.assert_allclose(found[:, column], right)


def test_regret_is_what_the_best_would_have_saved():
    errors = np.array([[0.3, 0.1, 0.2], [0.5, 0.6, 0.9]])
    np.testing.assert_allclose(regret(errors, np.array([2, 0])), [0.1, 0.0])


def test_a_figure_has_both_intervals():
    rng = np.random.default_rng(0)
    values = rng.normal(0.6, 0.1, 200)
    class_ids = rng.integers(0, 12, (200, 3))
    found = figure_of(values, class_ids, [f"c{n}" for n in range(12)])
    assert found.mean == pytest.approx(values.mean())
    expected = 1.96 * values.std(ddof=1) / np.sqrt(200)
    assert found.half_width == pytest.approx(expected, rel=1e-3)
    assert found.over_classes.clusters == 12


def test_tasks_are_of_one_group_and_of_their_classes():
    of = table()
    drawn = draw_tasks(of, 300, ways=3, shots=2, queries=4, seed=5)
    assert len(drawn) == 300 and drawn.support.shape == (300, 6, 4)
    assert drawn.query_labels.shape == (300, 12, 3)
    for task in range(0, 300, 37):
        assert {name[:2] for name in drawn.classes[task]} == {drawn.groups[task]}
        for rows, labels in (
            (drawn.support[task], drawn.labels[task]),
            (drawn.query[task], drawn.query_labels[task]),
        ):
            for row, way in zip(rows, labels.argmax(axis=1), strict=True):
                own = of.examples_of(int(drawn.class_ids[task, way]))
                assert np.any(np.all(own == row, axis=1))
    again = draw_tasks(of, 300, ways=3, shots=2, queries=4, seed=5)
    np.testing.assert_array_equal(again.support, drawn.support)


def test_halves_share_groups_and_no_class():
    whole = table(classes=7)
    first, second = halved_groups(whole, seed=3)
    assert not set(first.class_names) & set(second.class_names)
    assert {*first.class_names, *second.class_names} == set(whole.class_names)
    assert set(first.groups) == set(second.groups) == {"g0", "g1", "g2"}
    sizes = [side.groups.count("g0") for side in (first, second)]
    assert sorted(sizes) == [3, 4]
    for side in (first, second):
        name = side.class_names[0]
        np.testing.assert_array_equal(
            side.examples_of(0), whole.examples_of(whole.class_names.index(name))
        )
    pictures = ClassTable.from_arrays(
        "pictures",
        np.zeros((12, 2, 2, 1), "uint8"),
        list("aabbccddeeff"),
        groups=dict.fromkeys("abcdef", "g"),
    ).with_rotations()
    first, second = halved_groups(pictures)
    assert first.num_classes == second.num_classes == 12
    assert not set(first.origins) & set(second.origins)
    without = ClassTable.from_arrays("x", np.zeros((2, 1), "float32"), ["a", "b"])
    with pytest.raises(ValueError, match="groups"):
        halved_groups(without)


def test_nearest_means_by_hand():
    drawn = draw_tasks(table(), 20, ways=3, shots=2, queries=4)
    found = nearest_mean_accuracies(drawn)

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

    for task in range(20):
        support, labels = unit(drawn.support[task]), drawn.labels[task].argmax(axis=1)
        means = np.stack([support[labels == way].mean(axis=0) for way in range(3)])
        distances = np.linalg.norm(unit(drawn.query[task])[:, None] - means, axis=-1)
        wanted = drawn.query_labels[task].argmax(axis=1)
        assert found[task] == np.mean(distances.argmin(axis=1) == wanted)


def test_principal_components_are_standardised():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 6)) + 5
    matrix, bias = principal_components(features.astype("float32"), 5)
    # Three directions are all that there are.
    assert matrix.shape == (6, 3)
    found = features @ matrix + bias
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(found.T, bias=True), np.eye(3), atol=1e-3)
    with pytest.raises(ValueError, match="differ"):
        principal_components(np.ones((3, 2)))
    with pytest.raises(ValueError, match="finite"):
        principal_components(np.full((3, 2), np.nan))
