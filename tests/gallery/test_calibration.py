"""Thresholds by cross-validation, against learning everything anew for each query."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from small_learners import MAKERS, identity, points

from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.threshold import largest_with_recall
from tfmeta.gallery.calibration import cross_validated, missing_for_threshold
from tfmeta.gallery.enrolled import Enrolled
from tfmeta.gallery.records import StoredClass
from tfmeta.learners import (
    LogisticRegression,
    PrototypicalNetwork,
    SimpleShot,
)

ONE_BY_ONE = [
    "prototypical",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("gaussian_prototypical", "relation", "simple_shot")
    ),
]
TOGETHER = [
    *("matching", "siamese"),
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (
            *("siamese_mean", "semi_supervised_of_queries"),
            *("logistic_regression", "baseline"),
        )
    ),
]


def enrolled_of(learner, classes, enrolled=None):
    """What a gallery has in memory of examples by class, in place of those before."""
    embedded = [learner.embed(tf.constant(one)[None])[0].numpy() for one in classes]
    enrolled = Enrolled(learner) if enrolled is None else enrolled
    enrolled.update(
        StoredClass(number, f"class {number}", one, np.arange(len(one)))
        for number, one in enumerate(embedded, start=1)
    )
    return enrolled, embedded


@functools.cache
def graph_of(learner):
    """All at once, in a graph: a head that is fitted takes long without."""

    @tf.function(reduce_retracing=True)
    def scores(support, labels, query):
        state = learner.adapt_embeddings(support[None], labels[None])
        logits = learner.compare_embeddings(state, query[None, None])[0, 0]
        return tf.reduce_max(logits), tf.reduce_max(tf.nn.softmax(logits))

    return scores


def brute_force(learner, classes, query):
    """Largest logit and probability of one query, all classes learned anew."""
    labels = np.repeat(np.arange(len(classes)), [len(one) for one in classes])
    one_hot = tf.one_hot(labels, len(classes))
    support = tf.constant(np.concatenate(classes))
    return graph_of(learner)(support, one_hot, tf.constant(query))


def expected_one_by_one(learner, classes):
    known, unknown = [], []
    for label, own in enumerate(classes):
        for row in range(len(own)) if len(own) > 1 else ():
            others = classes[:label] + classes[label + 1 :]
            less = [*classes]
            less[label] = np.delete(own, row, axis=0)
            known.append(brute_force(learner, less, own[row]))
            unknown.append(brute_force(learner, others, own[row]))
    return np.array(known), np.array(unknown)


def expected_by_folds(learner, classes):
    """As is documented: dealt one by one to five folds, and so are whole classes."""
    known, unknown = [], []
    for label, own in enumerate(classes):
        for row in range(len(own)) if len(own) > 1 else ():
            fold = (label + row) % 5
            rest = [
                np.stack([x for i, x in enumerate(one) if (k + i) % 5 != fold])
                if len(one) > 1
                else one
                for k, one in enumerate(classes)
            ]
            known.append(brute_force(learner, rest, own[row]))
            folds = min(5, len(classes))
            others = [c for k, c in enumerate(classes) if k % folds != label % folds]
            unknown.append(brute_force(learner, others, own[row]))
    return np.array(known), np.array(unknown)


def check_threshold(found, known, unknown, recall):
    names, areas = ("logit", "probability"), {}
    for column, name in enumerate(names):
        positive = np.repeat([True, False], [len(known), len(unknown)])[None]
        # What is equal to rounding may be in either order.
        rounding = 1e-5 * max(1, np.abs(known[:, column]).max())
        areas[name] = [
            auroc(np.concatenate([k, unknown[:, column]])[None], positive)[0]
            for k in (known[:, column] - rounding, known[:, column] + rounding)
        ]
        assert areas[name][0] <= found.validation_auroc[name] <= areas[name][1]
    assert areas[found.score][1] >= max(lowest for lowest, _ in areas.values())
    expected = largest_with_recall(known[:, names.index(found.score)], recall)
    assert found.value == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert found.recall == recall
    assert found.protocol["examples"] == len(known)


@pytest.mark.parametrize("sizes", [(4, 3, 1, 2), (2, 1)], ids=str)
@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_classes_are_left_out_one_by_one(name, sizes):
    learner = MAKERS[name]()
    enrolled, classes = enrolled_of(learner, points(sizes, spread=0.7).values())
    known, unknown = expected_one_by_one(learner, classes)
    for recall in (0.8, 1.0):
        found = cross_validated(learner, enrolled, recall=recall)
        check_threshold(found, known, unknown, recall)


@pytest.mark.parametrize("name", TOGETHER)
def test_those_that_learn_classes_together_leave_out_folds(name):
    learner = MAKERS[name]()
    sizes = (6, 1, 2, 2)
    enrolled, classes = enrolled_of(learner, points(sizes, spread=0.7).values())
    found = cross_validated(learner, enrolled, recall=0.8)
    assert not learner.independent_classes
    check_threshold(found, *expected_by_folds(learner, classes), 0.8)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("logistic_regression", marks=pytest.mark.slow),
        *("matching", "siamese"),
    ],
)
def test_two_classes_are_enough_for_folds(name):
    learner = MAKERS[name]()
    enrolled, classes = enrolled_of(learner, points((2, 1)).values())
    found = cross_validated(learner, enrolled, recall=1.0)
    known, _ = expected_by_folds(learner, classes)
    column = ("logit", "probability").index(found.score)
    assert found.value == pytest.approx(known[:, column].min(), abs=1e-4)


@pytest.mark.parametrize(
    ("sizes", "missing"),
    [((), "a second class"), ((5,), "a second class"), ((1, 1, 1), "a second example")],
    ids=str,
)
@pytest.mark.parametrize("name", ["prototypical", "matching"])
def test_too_little_is_said(name, sizes, missing):
    learner = MAKERS[name]()
    enrolled, _ = (
        enrolled_of(learner, points(sizes).values())
        if sizes
        else (
            Enrolled(learner),
            None,
        )
    )
    assert cross_validated(learner, enrolled, recall=0.9) is None
    assert missing_for_threshold(enrolled.classes).startswith(missing)


def test_of_many_examples_some_are_taken_from_all_classes():
    learner = MAKERS["prototypical"]()
    enrolled, _ = enrolled_of(learner, points([30] * 40).values())
    found = cross_validated(learner, enrolled, recall=0.95)
    assert found.protocol == {
        "by": "cross-validation of the enrolled examples",
        "left_out": "one example",
        "ways": 40,
        "examples": 1000,
    }


def accepted(learner, enrolled, features, seed, *, classes=8, shots=20, recall=0.9):
    """Shares of fresh queries accepted, of enrolled classes and of others."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=4.0, size=(2 * classes, features))
    support = [c + rng.normal(size=(shots, features)) for c in centres[:classes]]
    enrolled_of(learner, [one.astype("f4") for one in support], enrolled)
    threshold = cross_validated(learner, enrolled, recall=recall)
    queries = centres[:, None] + rng.normal(size=(2 * classes, 50, features))
    logits = enrolled.logits(queries.reshape(-1, features).astype("f4"))
    probabilities = tf.nn.softmax(logits).numpy()
    score = {"logit": logits, "probability": probabilities}[threshold.score]
    passed = score.max(axis=1) >= threshold.value
    return passed.reshape(2, -1).mean(axis=1)


@pytest.mark.parametrize(
    "features", [pytest.param(2, marks=pytest.mark.slow), 16], ids=str
)
@pytest.mark.parametrize(
    "make",
    [
        PrototypicalNetwork,
        pytest.param(SimpleShot, marks=pytest.mark.slow),
        pytest.param(LogisticRegression, marks=pytest.mark.slow),
    ],
    ids=lambda make: make.__name__,
)
def test_fresh_queries_are_accepted_as_often_as_was_asked(make, features):
    """Of Gaussian classes, over galleries: the recall; of folds, or more."""
    learner = make(identity(features))
    enrolled = Enrolled(learner)
    shares = np.array([accepted(learner, enrolled, features, s) for s in range(10)])
    known, unknown = shares.mean(axis=0)
    # Over galleries, each of 160 queries that calibrate and 400 fresh ones.
    error = shares[:, 0].std(ddof=1) / np.sqrt(len(shares))
    assert abs(known - 0.9) < 3 * error + (
        0.005 if learner.independent_classes else 0.1
    )
    # In two dimensions other classes lie between those that are enrolled.
    assert unknown < (0.02 if features == 16 else 1.0)
