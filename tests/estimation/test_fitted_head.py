import pickle

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from tfmeta.estimation import head_graphs
from tfmeta.estimation.fitted_head import FittedHead
from tfmeta.estimation.heads import head_on_features, shared_head

UNTOUCHED = {"transform": "none"}


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(3), 6)
    centres = rng.normal(size=(3, 7))
    return centres[labels] + rng.normal(size=(18, 7)), labels


def fit(task, name="logistic_regression", arguments=UNTOUCHED, **options):
    features, labels = task
    return FittedHead.fit(name, features, labels, 3, arguments=arguments, **options)


def test_it_is_the_logistic_regression_of_weighted_examples(task):
    features, labels = task
    weights = np.random.default_rng(4).uniform(0.1, 3, 18)
    theirs = LogisticRegression(C=10.0, solver="newton-cg", tol=1e-10)
    theirs.fit(features, labels, weights)
    ours = fit(task, weights=weights)
    queries = np.random.default_rng(5).normal(size=(20, 7))
    probabilities = tf.nn.softmax(ours.logits(queries)).numpy()
    np.testing.assert_allclose(probabilities, theirs.predict_proba(queries), atol=1e-6)


@pytest.mark.parametrize("name", ["simple_shot", "logistic_regression"])
def test_what_is_computed_follows_the_features(task, name):
    features, labels = task
    wide = fit(task, name).logits(features)
    narrow = fit((features.astype(np.float32), labels), name)
    narrow = narrow.logits(features.astype(np.float32))
    assert wide.dtype == np.float64 and narrow.dtype == np.float32
    np.testing.assert_allclose(wide, narrow, atol=1e-4)
    # A large offset is nothing to float64.
    moved = fit((features + 1e6, labels), name).logits(features + 1e6)
    np.testing.assert_allclose(tf.nn.softmax(moved), tf.nn.softmax(wide), atol=1e-6)


def test_a_class_without_an_example_has_no_logit(task):
    head = FittedHead.fit("simple_shot", *task, 5, arguments=UNTOUCHED)
    logits = head.logits(task[0])
    assert logits.shape == (18, 5)
    assert np.isneginf(logits[:, 3:]).all() and np.isfinite(logits[:, :3]).all()
    assert head.logits(task[0][:0]).shape == (0, 5)


def test_many_queries_are_asked_by_parts(task, monkeypatch):
    head = fit(task)
    whole = head.logits(task[0])
    monkeypatch.setattr("tfmeta.estimation.fitted_head._AT_ONCE", 20)
    np.testing.assert_allclose(head.logits(task[0]), whole, rtol=1e-12)


def test_it_pickles_as_arrays(task):
    head = fit(task)
    written = pickle.dumps(head)
    assert b"tensorflow" not in written and b"keras" not in written
    np.testing.assert_array_equal(
        pickle.loads(written).logits(task[0]), head.logits(task[0])
    )


def test_heads_of_the_same_settings_share_a_graph(task):
    features, labels = task
    fit(task)
    before = head_graphs._traced.cache_info()
    for width, count in ((2, 5), (4, 9), (7, 18)):
        part = (features[:count, :width], labels[:count] % 2)
        FittedHead.fit("logistic_regression", *part, 2, arguments=UNTOUCHED)
    after = head_graphs._traced.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 3)
    one, other = (
        head_graphs.fitting_graph(
            head_on_features("logistic_regression", width, **UNTOUCHED), np.float64
        )
        for width in (3, 8)
    )
    assert one is other
    others = {
        head_graphs.fitting_graph(head_on_features(name, 3, **arguments), dtype)
        for name, arguments, dtype in (
            ("logistic_regression", {**UNTOUCHED, "C": 3.0}, np.float64),
            ("logistic_regression", UNTOUCHED, np.float32),
            ("logistic_regression", {}, np.float64),
            ("simple_shot", UNTOUCHED, np.float64),
            ("simple_shot", {**UNTOUCHED, "distance": "cosine"}, np.float64),
        )
    }
    assert len(others | {one}) == 6


def test_a_shared_head_is_one_of_its_arguments():
    mean = np.arange(3.0)
    arguments = {"transform": "centered_l2", "base_mean": mean}
    head = shared_head("simple_shot", 3, **arguments)
    assert shared_head("simple_shot", 3, **{**arguments, "base_mean": +mean}) is head
    other = shared_head("simple_shot", 3, **{**arguments, "base_mean": mean + 1})
    assert other is not head
    np.testing.assert_array_equal(other.base_mean, mean + 1)
