"""Many fits in one batch are those that one after the other would be."""

import numpy as np
import pytest
import sklearn.linear_model

from tfmeta.estimation.folds import stratified_folds, with_shots
from tfmeta.estimation.heads import head_on_features, in_their_span, shared_head
from tfmeta.estimation.refits import Refits, Split, softmax

WAYS, FEATURES = 4, 16


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(WAYS), [9, 10, 4, 7])
    centres = rng.normal(size=(WAYS, FEATURES))
    features = centres[labels] + rng.normal(size=(len(labels), FEATURES))
    return features.astype(np.float32), labels


@pytest.fixture(scope="module")
def splits(task):
    folds = stratified_folds(task[1], 5, seed=0)
    # Supports of other sizes, and classes that are absent in some.
    few = [with_shots(split, task[1], 1, seed=1) for split in folds]
    without = [Split(s.train[task[1][s.train] != 2], s.test) for s in folds]
    return [*folds, *few, *without]


def unit(rows):
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_logistic_regression_is_that_of_scikit_learn(task, splits):
    features, labels = task
    head = shared_head("logistic_regression", FEATURES)
    seen = set()
    for place, logits in Refits(head, features, labels, WAYS).logits(splits):
        train, test = splits[place]
        fitted = sklearn.linear_model.LogisticRegression(
            C=10, tol=1e-8, max_iter=100_000
        ).fit(unit(features[train]), labels[train])
        expected = np.zeros((len(test), WAYS))
        expected[:, fitted.classes_] = fitted.predict_proba(unit(features[test]))
        np.testing.assert_allclose(softmax(logits), expected, atol=2e-5)
        seen.add(place)
    assert seen == set(range(len(splits)))


def test_simple_shot_is_the_nearest_mean(task, splits):
    features, labels = task
    head = shared_head("simple_shot", FEATURES)
    for place, logits in Refits(head, features, labels, WAYS).logits(splits):
        train, test = splits[place]
        expected = np.full((len(test), WAYS), -np.inf)
        for label in np.unique(labels[train]):
            mean = unit(features[train[labels[train] == label]]).mean(axis=0)
            squares = ((unit(features[test]) - mean) ** 2).sum(axis=1)
            expected[:, label] = -squares / 0.06
        np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_batches_are_bounded_and_tell_of_progress(task, splits, monkeypatch):
    features, labels = task
    refits = Refits(shared_head("simple_shot", FEATURES), features, labels, WAYS)
    together = dict(refits.logits(splits))
    monkeypatch.setattr("tfmeta.estimation.refits._AT_ONCE", 1)
    seen = []
    alone = dict(refits.logits(splits, on_progress=lambda *of: seen.append(of)))
    assert seen == [(done, len(splits)) for done in range(1, len(splits) + 1)]
    for place, logits in together.items():
        np.testing.assert_allclose(alone[place], logits, atol=1e-4)


def test_a_head_that_gives_no_numbers_is_refused(task):
    features, labels = task
    features = features.copy()
    features[0, 0] = np.nan
    refits = Refits(shared_head("simple_shot", FEATURES), features, labels, WAYS)
    every = np.arange(len(labels))
    with pytest.raises(ValueError, match="logits of a head must be numbers"):
        list(refits.logits([Split(every, every)]))


def test_an_unknown_head_is_refused():
    with pytest.raises(ValueError, match="`head` must be one of 'simple_shot'"):
        head_on_features("maml", FEATURES)


@pytest.mark.parametrize("head", ["simple_shot", "logistic_regression"])
def test_fewer_numbers_keep_what_heads_know(head):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(WAYS), 5)
    features = rng.normal(size=(WAYS, 64))[labels] + rng.normal(size=(20, 64))
    features = features.astype(np.float32)
    turned = in_their_span(features)
    assert turned.shape == (20, 20) and turned.dtype == np.float32
    np.testing.assert_allclose(turned @ turned.T, features @ features.T, atol=1e-3)
    split = [Split(np.arange(0, 20, 2), np.arange(1, 20, 2))]
    logits = [
        next(Refits(shared_head(head, rows.shape[1]), rows, labels, WAYS).logits(split))
        for rows in (features, turned)
    ]
    np.testing.assert_allclose(logits[1][1], logits[0][1], atol=1e-3)
    # As many examples as numbers, and nothing is gained.
    assert in_their_span(turned) is turned
