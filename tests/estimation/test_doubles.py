"""Planted copies are found, strangers are not."""

import numpy as np
import pytest

from tfmeta.estimation.doubles import NEARLY, doubles_of, find_links, same_classes

NAMES = ("cats", "dogs")


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(200, 64)).astype(np.float32)


def digests_of(content):
    return np.stack([np.full(16, number, np.uint8) for number in content])


def test_planted_copies_are_found(features):
    features[50] = features[3]
    features[120] = features[3]
    features[77] = features[20] + 0.02 * features[21]
    links = find_links(features, None)
    np.testing.assert_array_equal(links.twice, [50, 120, 77])
    np.testing.assert_array_equal(links.earlier[[50, 120, 77]], [3, 3, 20])
    np.testing.assert_array_equal(links.equal[[50, 120, 77]], [True, True, False])
    assert links.groups[50] == links.groups[120] == links.groups[3] == 3
    assert links.groups[77] == links.groups[20] == 20
    labels = np.repeat([0, 1], 100)
    found = doubles_of(links, labels, NAMES, [f"{row}.jpg" for row in range(200)], 2)
    assert [one.rows for one in found] == [(3, 50), (3, 120)]
    assert found[1].labels == ("cats", "dogs")
    assert found[1].examples == ("3.jpg", "120.jpg")


def test_the_nearest_is_that_of_numpy(features):
    features = np.concatenate([features, features + 0.05 * features[::-1]])
    links = find_links(features, None)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = np.tril(unit @ unit.T, -1)
    near = cosines.max(axis=1) >= NEARLY
    np.testing.assert_array_equal(links.earlier >= 0, near)
    assert near.sum() == 200
    np.testing.assert_array_equal(links.earlier[near], cosines.argmax(axis=1)[near])
    np.testing.assert_allclose(links.similarity[near], cosines.max(axis=1)[near], 1e-5)


def test_small_blocks_find_the_same(features, monkeypatch):
    features[150:] = features[:50] + 0.05 * features[50:100]
    expected = find_links(features, None)
    monkeypatch.setattr("tfmeta.estimation.doubles._AT_ONCE", 1000)
    found = find_links(features, None)
    np.testing.assert_array_equal(found.earlier, expected.earlier)
    assert len(found.twice) == 50


def test_content_counts_where_it_is_known(features):
    features[9] = features[4]
    content = np.arange(200)
    content[11] = content[10]
    links = find_links(features, digests_of(content))
    np.testing.assert_array_equal(links.equal.nonzero()[0], [11])
    # Equal features of other content are nearly the same.
    np.testing.assert_array_equal(links.twice, [11, 9])


def test_few_numbers_are_alike_by_chance():
    rows = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    rows[7] = rows[3]
    np.testing.assert_array_equal(find_links(rows, None).twice, [7])


def test_rows_without_a_direction_are_equal_to_each_other_alone():
    rows = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32)
    rows[[1, 4]] = 0
    links = find_links(rows, None)
    np.testing.assert_array_equal(links.twice, [4])
    assert links.earlier[4] == 1


def test_classes_with_the_same_examples(features):
    labels = np.repeat([0, 1, 2], [80, 80, 40])
    assert same_classes(find_links(features, None), labels) is None
    features[80:160] = features[:80][::-1]
    assert same_classes(find_links(features, None), labels) == (0, 1)
    features[80] = features[199]
    assert same_classes(find_links(features, None), labels) is None
