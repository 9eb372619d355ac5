"""Logits of a graph that scans very many classes, against all differences in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import distances
from tfmeta.gallery.served import EnrolledClassifier
from tfmeta.gallery.served_scan import ServedScan
from tfmeta.learners import PrototypicalNetwork, SimpleShot

WAYS, FEATURES = 700, 24


def identity():
    return keras.Sequential([keras.Input((FEATURES,)), keras.layers.Identity()])


def by_differences(name, queries, classes):
    queries, classes = (x.astype(np.float64) for x in (queries, classes))
    if name == "cosine":
        lengths = [np.linalg.norm(x, axis=1) for x in (queries, classes)]
        return queries @ classes.T / np.outer(*lengths)
    squares = np.square(queries[:, None] - classes).sum(axis=2)
    return -(squares if name == "squared_euclidean" else np.sqrt(squares))


def scan_of(name, classes, top=5):
    learner = PrototypicalNetwork(identity(), distance=distances.get(name))
    state = {
        "prototypes": tf.Variable(classes),
        "present": tf.Variable(np.ones(len(classes), bool)),
    }
    scan = ServedScan(learner, state, top)
    spec = tf.TensorSpec([None, FEATURES], tf.float32)
    return tf.function(scan.logits, input_signature=[spec])


def spread(offset=0.0, scale=1.0, ways=WAYS):
    rng = np.random.default_rng(0)
    classes = offset + scale * rng.normal(size=(ways, FEATURES))
    near = classes[rng.integers(0, ways, 9)] + 0.3 * scale * rng.normal(
        size=(9, FEATURES)
    )
    return near.astype(np.float32), classes.astype(np.float32)


CASES = {
    "spread": spread(),
    "about an offset": spread(offset=40.0),
    "large": spread(scale=1e4),
    "few": spread(ways=12),
    # Far beyond what float32 tells apart by a product.
    "near each other": spread(offset=np.linspace(-1e3, 1e3, FEATURES), scale=1e-3),
    "alike": (spread()[0], np.repeat(spread()[1][:2], WAYS // 2, axis=0)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["squared_euclidean", "euclidean", "cosine"])
def test_the_best_are_right_and_all_others_about(name, case):
    queries, classes = CASES[case]
    found = scan_of(name, classes)(tf.constant(queries)).numpy()
    expected = by_differences(name, queries, classes)
    assert found.dtype == np.float32 and found.shape == expected.shape
    best = np.argsort(-expected, axis=1, kind="stable")[:, :5]
    places = np.argsort(-found, axis=1, kind="stable")[:, :5]
    # What is named, by the order of logits that differ.
    for row in range(len(queries)):
        at_best, at_found = expected[row, best[row]], expected[row, places[row]]
        np.testing.assert_allclose(at_found, at_best, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(
        np.take_along_axis(found, best, 1),
        np.take_along_axis(expected, best, 1),
        rtol=2e-6,
        atol=2e-6,
    )
    np.testing.assert_allclose(
        tf.reduce_logsumexp(found.astype(np.float64), axis=1),
        tf.reduce_logsumexp(expected, axis=1),
        rtol=1e-6,
        atol=2e-3,
    )


def test_one_query_that_float32_cannot_tell_changes_no_other():
    queries, classes = CASES["spread"]
    logits = scan_of("squared_euclidean", classes)
    alone = logits(tf.constant(queries))
    # Far away all classes are alike.
    joined = np.concatenate([queries, queries[:1] + 1e7, queries[:1] * np.nan])
    together = logits(tf.constant(joined)).numpy()
    np.testing.assert_allclose(together[: len(queries)], alone, rtol=1e-6)
    expected = by_differences("squared_euclidean", joined[-2:-1], classes)
    np.testing.assert_allclose(together[-2:-1], expected, rtol=1e-6)
    assert np.isnan(together[-1]).all()
    assert logits(tf.zeros((0, FEATURES))).shape == (0, WAYS)


def test_it_compares_with_parts_of_all_classes(monkeypatch):
    # 700 classes in parts of 64: the last one overlaps.
    monkeypatch.setattr("tfmeta.gallery.served_scan._NUMBERS_AT_ONCE", 64 * FEATURES)
    queries, classes = CASES["alike"]
    found = scan_of("cosine", classes)(tf.constant(queries))
    expected = by_differences("cosine", queries, classes)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    queries, classes = CASES["near each other"]
    found = scan_of("squared_euclidean", classes)(tf.constant(queries))
    expected = by_differences("squared_euclidean", queries, classes)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_answers_are_those_without_a_scan():
    queries, classes = spread(ways=5000)
    names = [f"class {number}" for number in range(len(classes))]
    learner = SimpleShot(identity())
    transformed = learner.feature_transform(tf.constant(classes))
    state = {"prototypes": transformed[None], "present": tf.ones((1, 5000), tf.bool)}
    answers = []
    for scanned_from in (5000, 5001):
        classifier = EnrolledClassifier(
            learner, state, names, None, 5, scanned_from=scanned_from
        )
        (endpoint, *_) = classifier.endpoints(learner.example_spec())
        ask = tf.function(endpoint.function, input_signature=endpoint.inputs)
        answers.append(ask(tf.constant(queries)))
    assert classifier._scan is None
    scanned, compared = answers
    for name in ("names", "rejected"):
        np.testing.assert_array_equal(scanned[name], compared[name])
    for name in ("probabilities", "scores"):
        np.testing.assert_allclose(scanned[name], compared[name], atol=1e-5)
