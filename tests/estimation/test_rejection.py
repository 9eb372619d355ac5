"""The threshold accepts the share that is asked, and what it rejects is counted."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tfmeta.estimation.folds import stratified_folds
from tfmeta.estimation.heads import shared_head
from tfmeta.estimation.leaving_out import leave_out
from tfmeta.estimation.refits import Refits
from tfmeta.estimation.rejection import find_rejection

FEATURES = 16


def make_task(ways, shots, seed=0, spread=0.5):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(ways), shots)
    centres = rng.normal(size=(ways, FEATURES))
    noise = spread * rng.normal(size=(len(labels), FEATURES))
    return (centres[labels] + noise).astype(np.float32), labels


def rejection_of(features, labels, recall=0.95):
    ways = int(labels.max()) + 1
    refits = Refits(shared_head("simple_shot", FEATURES), features, labels, ways)
    known = leave_out(refits, stratified_folds(labels, 3, seed=0), labels)
    return known, find_rejection(refits, known, labels, recall=recall, seed=0)


@pytest.mark.parametrize("recall", [0.8, 0.95])
def test_shares_are_those_that_are_counted(recall):
    features, labels = make_task(4, 25)
    known, found = rejection_of(features, labels, recall)
    threshold = found.threshold
    assert threshold.score == "logit" and threshold.recall == recall
    own = known.logits.max(axis=1)
    assert (own >= threshold.value).mean() >= recall
    # Fold by fold with the threshold of the others.
    accepted = 0
    for fold in range(3):
        rest = np.sort(own[known.split != fold])[::-1]
        value = rest[int(np.ceil(recall * len(rest) - 1e-9)) - 1]
        accepted += (own[known.split == fold] >= value).sum()
    assert found.known_accepted.value == pytest.approx(accepted / 100)
    # Each class among the others alone, by NumPy.
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    means = np.stack([unit[labels == label].mean(axis=0) for label in range(4)])
    squares = ((unit[:, None] - means) ** 2).sum(axis=2)
    squares[np.arange(100), labels] = np.inf
    others = -squares.min(axis=1) / 0.06
    assert found.unknown_rejected.value == pytest.approx(
        (others < threshold.value).mean()
    )
    assert found.auroc == pytest.approx(
        roc_auc_score(np.repeat([1, 0], 100), np.concatenate([own, others]))
    )
    assert threshold.protocol["ways"] == 4 and threshold.protocol["shots"] == 25


def test_classes_in_folds_leave_others_to_be_known():
    features, labels = make_task(12, 5)
    _, found = rejection_of(features, labels)
    assert found.unknown_rejected.count == 60
    assert found.auroc > 0.9


@pytest.mark.parametrize(("ways", "shots"), [(2, 20), (3, 3)])
def test_too_few_have_no_threshold(ways, shots):
    assert rejection_of(*make_task(ways, shots))[1] is None
