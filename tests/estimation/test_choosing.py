"""The head with the most right answers, counted as scikit-learn counts them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import PredefinedSplit, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from tfmeta.estimation.choosing import choose_head
from tfmeta.estimation.folds import stratified_folds

FEATURES = 16


def make_task(shots, spread=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), shots)
    centres = rng.normal(size=(4, FEATURES))
    noise = spread * rng.normal(size=(len(labels), FEATURES))
    return (centres[labels] + noise).astype(np.float32), labels


def test_counts_are_those_of_scikit_learn():
    features, labels = make_task(10, spread=1.5)
    choice = choose_head(features, labels, seed=2, heads=("logistic_regression",))
    (found,) = choice.candidates
    fold_of = np.empty(len(labels), int)
    for number, split in enumerate(stratified_folds(labels, 10, seed=2)):
        fold_of[split.test] = number
    by = PredefinedSplit(fold_of)
    model = make_pipeline(
        Normalizer(), LogisticRegression(C=10, tol=1e-8, max_iter=100_000)
    )
    rows = features.astype(np.float64)
    assert found.accuracy == pytest.approx(
        cross_val_score(model, rows, labels, cv=by).mean()
    )
    answers = cross_val_predict(model, rows, labels, cv=by, method="predict_proba")
    assert found.log_loss == pytest.approx(log_loss(labels, answers), abs=1e-5)
    assert (choice.head, choice.folds) == ("logistic_regression", 10)


def test_the_better_head_is_chosen():
    # Both classes have one mean: no distance to it tells them apart.
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    features = rng.normal(size=(60, FEATURES)).astype(np.float32)
    features[:, 0] = 3 * np.where(labels == 0, 1, -1)
    features[:, 1:] *= 6
    seen = []
    choice = choose_head(
        features,
        labels,
        heads=("simple_shot", "logistic_regression, C=100"),
        on_progress=lambda *of: seen.append(of),
    )
    accuracies = [one.accuracy for one in choice.candidates]
    assert choice.head == "logistic_regression, C=100"
    assert accuracies[1] == max(accuracies) > accuracies[0]
    assert seen[-1] == (20, 20)


def test_one_example_of_each_class_leaves_nothing_to_try():
    features, labels = make_task(1)
    choice = choose_head(features, labels)
    assert (choice.head, choice.candidates) == ("simple_shot", ())
    assert "no class has a second example" in choice.reason


def test_very_many_examples_try_no_head(monkeypatch):
    monkeypatch.setattr("tfmeta.estimation.choosing._NONE_ABOVE", 100)
    choice = choose_head(*make_task(10))
    assert (choice.head, choice.candidates) == ("simple_shot", ())
    assert "40 examples of 4 classes are too many" in choice.reason
