"""Episodes from several sources."""

import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from coded_tables import arrays, assert_same, assert_uniform, coded_table

from tfmeta.episodes import Episodes, Mixture

SETTINGS = {"ways": 3, "queries": 2, "tasks": 2}


def episodes(name="first", seed=0, classes=8, **settings):
    table = coded_table([6] * classes, name=name)
    return Episodes(table, seed=seed, **{**SETTINGS, **settings})


@pytest.fixture(scope="module")
def mixture():
    return Mixture([episodes(), episodes("second", 4)], weights=[0.7, 0.3], seed=3)


def sources_of(mixture, steps, start=0):
    """The source of many steps."""
    numbers = tf.data.Dataset.range(start, start + steps).map(mixture._source)
    return numbers.batch(steps).get_single_element().numpy()


def test_each_batch_is_the_sources_own(mixture):
    found = set()
    for step, batch in enumerate(mixture.as_dataset(steps=8)):
        number = mixture.source(step)
        found.add(number)
        own = mixture.sources[number]
        assert_same(arrays(batch), arrays(own.batch(step)))
        assert_same(arrays(mixture.batch(step)), arrays(own.batch(step)))
        np.testing.assert_array_equal(mixture.class_ids(step), own.class_ids(step))
    assert found == {0, 1}


def test_any_step_at_once_and_in_shards(mixture):
    sequence = [arrays(batch) for batch in mixture.as_dataset(start=2**40, steps=4)]
    begun = next(iter(mixture.as_dataset(start=2**40 + 2)))
    assert_same(arrays(begun), sequence[2])
    odd = mixture.as_dataset(start=2**40, steps=4, num_shards=2, shard=1)
    assert odd.cardinality() == 2
    for batch, same in zip(odd, sequence[1::2], strict=True):
        assert_same(arrays(batch), same)
    assert mixture.as_dataset().cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize("weights", [None, (0.7, 0.1, 0.2), [7, 1, 2], (1, 1e-9, 1)])
def test_sources_come_as_often_as_their_weights_say(weights):
    sources = [episodes(name) for name in ("a", "b", "c")]
    mixture = Mixture(sources, weights=weights, seed=1)
    expected = np.array([1, 1, 1] if weights is None else weights, float)
    expected /= expected.sum()
    np.testing.assert_allclose(mixture.weights, expected)
    counts = np.bincount(sources_of(mixture, 4000), minlength=3)
    seen = expected > 1e-6
    assert not counts[~seen].any()
    shares = expected[seen] / expected[seen].sum()
    assert scipy.stats.chisquare(counts[seen], 4000 * shares).pvalue > 1e-4


@pytest.mark.parametrize(
    ("seed_shift", "step_shift"), [(0, 1), (1, 0), (1, -1), (1, 1)]
)
def test_neighbouring_seeds_and_steps_are_independent(seed_shift, step_shift):
    sources = [episodes("a"), episodes("b")]
    here = sources_of(Mixture(sources, seed=11), 3000, 1)
    there = sources_of(Mixture(sources, seed=11 + seed_shift), 3000, 1 + step_shift)
    assert_uniform(here * 2 + there, 4)


def test_the_source_says_nothing_about_what_is_drawn():
    # Equal seeds, and the first number of each stream.
    one = episodes("a", seed=5, classes=4, ways=2, queries=1, tasks=1)
    chosen = sources_of(
        Mixture([one, episodes(ways=2, queries=1, tasks=1)], seed=5), 3000
    )
    numbers = tf.data.Dataset.range(3000).map(one.indices)
    drawn = numbers.batch(3000).get_single_element()
    assert_uniform(chosen * 4 + drawn.classes.numpy()[:, 0, 0], 8)
    assert_uniform(chosen * 6 + drawn.support.numpy()[:, 0, 0, 0] % 6, 12)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(seed=st.integers(0, 2**63 - 1), step=st.integers(0, 2**63 - 1))
def test_every_seed_and_step_has_a_source(seed, step):
    mixture = Mixture.__new__(Mixture)
    mixture.seed, mixture.weights = seed, (0.2, 0.3, 0.5)
    assert mixture.source(step) == mixture.source(step)
    assert mixture.source(step) in (0, 1, 2)


def test_classes_of_all_sources_count(mixture):
    assert len(mixture.origins) == 16
    assert mixture.origins == mixture.sources[0].origins | mixture.sources[1].origins
    third = episodes("third")
    mixture.check_disjoint(third)
    third.check_disjoint(mixture)
    for other in mixture.sources:
        with pytest.raises(ValueError, match="8 shared"):
            other.check_disjoint(mixture)
        with pytest.raises(ValueError, match="8 shared"):
            mixture.check_disjoint(third, other)


def test_it_is_described_by_its_sources(mixture):
    described = json.loads(json.dumps(mixture.describe()))
    assert described["seed"] == 3
    assert described["weights"] == pytest.approx([0.7, 0.3])
    for entry, source in zip(described["sources"], mixture.sources, strict=True):
        assert entry == {"table": source.table.name, **source.describe()}
    assert mixture.tasks == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"ways": 4}, r'inputs\["query"\]` .*\(2, 6, .*\(2, 8, 3, 3, 3\), uint8'),
        ({"shots": 2}, r'inputs\["support"\]` .*\(2, 3, .*\(2, 6, 3, 3, 3\), uint8'),
        ({"tasks": 1}, r"shape \(2, .* has shape \(1, "),
        ({"ways": (2, 3)}, r'inputs\["query_mask"\]` source 0 .* has nothing'),
        ({"unlabelled": 1}, r'inputs\["unlabelled"\]` source 0 .* has nothing'),
    ],
)
def test_batches_of_another_form_are_named(other, message):
    with pytest.raises(ValueError, match=f"one form.*{message}"):
        Mixture([episodes("a"), episodes("b", **other)])


def test_examples_of_another_dtype_are_named():
    floats = Episodes(coded_table([6] * 4, dtype="float32", name="b"), **SETTINGS)
    message = r"source 0 \('first'\) has .*uint8, and source 1 \('b'\) has .*float32"
    with pytest.raises(ValueError, match=message):
        Mixture([episodes(), floats])


@pytest.mark.parametrize(
    "weights",
    [
        [1],
        [1, 2, 3],
        [0, 1],
        [-1, 2],
        [1, float("inf")],
        [1, float("nan")],
        [1, "2"],
        [True, 1],
    ],
)
def test_weights_that_are_refused(weights):
    with pytest.raises(ValueError, match="`weights` must be 2 finite numbers above 0"):
        Mixture([episodes("a"), episodes("b")], weights=weights)


def test_sources_that_are_refused(mixture):
    with pytest.raises(ValueError, match="`sources` must be at least 2. Received: 1"):
        Mixture([episodes()])
    for wrong, name in ((mixture, "Mixture"), (3, "int")):
        with pytest.raises(TypeError, match=f"sequence of Episodes. Received: {name}"):
            Mixture([episodes(), wrong])
    with pytest.raises(ValueError, match="`seed` must be"):
        Mixture([episodes("a"), episodes("b")], seed=-1)
    with pytest.raises(TypeError, match="`step` must be an integer"):
        mixture.batch(tf.constant(1.0))
