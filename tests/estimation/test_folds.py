"""Every example is asked once, by others, and never by its double."""

import numpy as np
import pytest

from tfmeta.estimation.folds import can_be_left_out, stratified_folds, with_shots

UNEQUAL = np.repeat([0, 1, 2, 3], [10, 3, 1, 7])


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_every_example_is_asked_once_a_repeat(folds):
    splits = stratified_folds(UNEQUAL, folds, seed=3, repeats=3)
    asked = np.bincount(
        np.concatenate([s.test for s in splits]), minlength=len(UNEQUAL)
    )
    alone = UNEQUAL == 2
    np.testing.assert_array_equal(asked, np.where(alone, 0, 3))
    for split in splits:
        # All that is not asked is learned, the single one always.
        assert np.flatnonzero(alone)[0] in split.train
        both = np.concatenate([split.train, split.test])
        np.testing.assert_array_equal(np.sort(both), np.arange(len(UNEQUAL)))


def test_folds_hold_the_classes_in_equal_parts():
    labels = np.repeat(np.arange(5), 10)
    for split in stratified_folds(labels, 5, seed=0):
        np.testing.assert_array_equal(np.bincount(labels[split.test]), [2] * 5)


def test_another_seed_and_another_repeat_deal_anew():
    labels = np.repeat(np.arange(5), 10)
    first, second = stratified_folds(labels, 5, seed=0, repeats=2)[::5]
    again = stratified_folds(labels, 5, seed=0)[0]
    other = stratified_folds(labels, 5, seed=1)[0]
    np.testing.assert_array_equal(first.test, again.test)
    assert set(first.test) not in (set(second.test), set(other.test))


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_never_parted(seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), 12)
    groups = np.arange(48)
    for row in rng.choice(48, 15, replace=False):
        groups[row] = groups[rng.integers(48)]
    splits = stratified_folds(labels, 5, seed=seed, groups=groups)
    asked = np.concatenate([s.test for s in splits])
    free = np.flatnonzero(can_be_left_out(labels, groups))
    np.testing.assert_array_equal(np.sort(asked), free)
    for split in splits:
        among = split.train[np.isin(split.train, free)]
        assert not set(groups[split.test]) & set(groups[among])
        # A class that is asked is learned.
        assert set(labels[split.test]) <= set(labels[split.train])


def test_a_class_of_one_group_is_learned_and_never_asked():
    labels = np.repeat([0, 1, 2], 4)
    groups = np.array([0, 0, 0, 0, *range(4, 12)])
    np.testing.assert_array_equal(can_be_left_out(labels, groups), labels > 0)
    for split in stratified_folds(labels, 4, seed=0, groups=groups):
        assert set(range(4)) <= set(split.train)


@pytest.mark.parametrize("shots", [1, 2, 5])
def test_so_many_shots_of_each_class(shots):
    split = stratified_folds(UNEQUAL, 5, seed=0)[0]
    fewer = with_shots(split, UNEQUAL, shots, seed=4)
    there = np.bincount(UNEQUAL[split.train])
    np.testing.assert_array_equal(
        np.bincount(UNEQUAL[fewer.train]), np.minimum(there, shots)
    )
    assert set(fewer.train) <= set(split.train)
    np.testing.assert_array_equal(fewer.test, split.test)


def test_draws_of_shots_are_even():
    split = stratified_folds(np.repeat([0, 1], 11), 11, seed=0)[0]
    labels = np.repeat([0, 1], 11)
    counts = np.zeros(22)
    for seed in range(2000):
        counts[with_shots(split, labels, 2, seed=seed).train] += 1
    # Two of ten: 400 times each, with a standard deviation of 18.
    assert np.abs(counts[split.train] - 400).max() < 4.5 * 18


def test_copies_of_few_examples_make_fewer_folds():
    labels = np.repeat([0, 1], 10)
    groups = np.repeat([0, 5, 10, 15], 5)
    splits = stratified_folds(labels, 5, seed=0, groups=groups)
    asked = np.concatenate([split.test for split in splits])
    np.testing.assert_array_equal(np.sort(asked), np.arange(20))
    assert len(splits) <= 4
    with pytest.raises(ValueError, match="no class has a second example"):
        stratified_folds(np.arange(4), 5, seed=0)
