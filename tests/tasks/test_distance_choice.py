"""The distance that is learned is the one that finds what is alike, held out."""

import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.tasks.distance_choice import (
    chosen_distance,
    distance_kinds,
    precision_at_1,
)
from tfmeta.tasks.drawn_tasks import draw_tasks
from tfmeta.tasks.supervision import HeldOut, held_out_classes, held_out_tasks

OF = {"ways": 2, "shots": 8, "queries": 2}
KINDS = distance_kinds()


def table(rows, groups, classes):
    """Classes of equal sizes, `rows` of `(groups * classes, examples, features)`."""
    names = [f"g{g} c{c}" for g in range(groups) for c in range(classes)]
    return ClassTable.from_arrays(
        "numbers",
        rows.reshape(-1, rows.shape[-1]).astype("float32"),
        np.repeat(names, rows.shape[1]),
        groups={name: name.split()[0] for name in names},
    )


def by_spread(classes, seed=0):
    """Four groups that differ in which feature varies, and in no mean."""
    rng = np.random.default_rng(seed)
    rows = 0.3 * rng.normal(size=(4, classes, 12, 4))
    rows[np.arange(4), :, :, np.arange(4)] *= 10
    # By far more than the means of groups differ.
    rows += rng.normal(size=(4, classes, 1, 4))
    return table(rows.reshape(4 * classes, 12, 4), 4, classes)


def by_mean(classes, seed=0):
    """Twelve groups that differ in a mean, more than a network learns in two epochs."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(12, 1, 1, 24))
    of_class = 0.7 * rng.normal(size=(12, classes, 1, 24))
    rows = centres + of_class + rng.normal(size=(12, classes, 12, 24))
    return table(rows.reshape(12 * classes, 12, 24), 12, classes)


@pytest.mark.parametrize(
    ("made", "better", "worse"),
    [(by_spread, "network", "linear"), (by_mean, "linear", "network")],
)
def test_the_better_one_is_chosen_each_way(made, better, worse):
    of = made(8)
    held_out = held_out_classes(of, "group", 150, seed=0, **OF)
    assert not set(np.ravel(held_out.asked.classes)) & set(
        np.ravel(held_out.known.classes)
    )
    learned = {}

    def learn(kind, lessons):
        learned[kind.name] = kind.learned(lessons, epochs=2, seed=0)
        return learned[kind.name]

    choice = chosen_distance(KINDS, held_out, learn)
    figures = choice["precision_at_1"]
    assert choice["chosen"] == better
    assert figures[better]["mean"] > figures[worse]["mean"] + 0.1
    assert choice["held_out"] == {"tasks": 150, "apart": "class"}
    # It is the better one of new classes of these groups, too.
    new = draw_tasks(made(4, seed=5), 150, seed=3, **OF)
    alike = np.asarray(new.groups)[:, None] == np.asarray(held_out.known.groups)
    asked = HeldOut(held_out.lessons, held_out.known, new, alike, "class")
    found = {
        name: precision_at_1(metric, KINDS[name].describer, asked).mean()
        for name, metric in learned.items()
    }
    assert found[better] > found[worse] + 0.1


def test_precision_by_hand():
    held_out = held_out_classes(by_mean(4), "classes", 30, seed=0, **OF)
    assert held_out.asked is held_out.known
    kind = KINDS["linear"]
    metric = kind.like(kind.of(held_out.known), seed=0)
    found = precision_at_1(metric, kind.describer, held_out)
    vectors = metric.embed(kind.of(held_out.known))
    for task in range(30):
        distances = np.linalg.norm(vectors - vectors[task], axis=1)
        distances[task] = np.inf
        nearest = distances.argmin()
        shared = {*held_out.known.classes[task]} & {*held_out.known.classes[nearest]}
        assert found[task] == (len(shared) >= 1)


def test_groups_of_few_classes_have_tasks_of_fewer_ways():
    of = by_mean(9)
    held_out = held_out_classes(of, "group", 40, ways=5, shots=2, queries=2, seed=0)
    for tasks in (held_out.known, held_out.asked):
        # A third of nine classes.
        assert tasks.class_ids.shape[1] == 3
        assert tasks.labels.shape[2] == tasks.query_labels.shape[2] == 5
        assert not tasks.labels[:, :, 3:].any()
        assert len(set(tasks.groups)) > 6
    counts = [
        len(set(np.ravel(side.classes))) for side in (held_out.known, held_out.asked)
    ]
    assert counts[0] <= 12 * 6 and counts[1] <= 12 * 3
    assert held_out_classes(by_mean(3), "group", 9, seed=0, **OF) is None


def test_without_held_out_tasks_the_one_with_less_to_learn_is_taken():
    choice = chosen_distance(KINDS, None, None)
    assert choice == {"chosen": "linear", "precision_at_1": {}, "held_out": {}}
    alone = {"network": KINDS["network"]}
    assert chosen_distance(alone, None, None)["chosen"] == "network"


def test_tasks_that_were_measured_are_halved_by_groups():
    drawn = draw_tasks(by_mean(4), 60, seed=0, **OF)
    alike = np.asarray(drawn.groups)[:, None] == np.asarray(drawn.groups)
    held_out = held_out_tasks(drawn, alike, seed=0)
    learned, pairs = held_out.lessons(3)
    assert not set(learned.groups) & set(held_out.asked.groups)
    assert len(learned) + len(held_out.asked) == 60
    assert pairs.shape == (len(learned), len(learned))
    assert held_out.apart == "group" and held_out.asked is held_out.known
    assert held_out_tasks(drawn, np.eye(60, dtype=bool), seed=0) is None
