"""Episodes whose classes have unequal numbers of queries."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from coded_tables import coded_table, decode, draw

from tfmeta.episodes import Episodes
from tfmeta.episodes.class_proportions import draw_dirichlet_counts

LARGE = coded_table([40] * 8)


def counts_of(drawn):
    """`(tasks, ways)`: the number of queries of each way."""
    ways = drawn.query_ways.shape[1]
    flat = drawn.query_ways.reshape(len(drawn.query_ways), -1)
    return np.stack([(flat == way).sum(axis=1) for way in range(ways)], axis=1)


@pytest.mark.slow
@hypothesis.settings(max_examples=15)
@hypothesis.given(
    ways=st.integers(2, 6),
    shots=st.sampled_from([1, 3, (1, 3)]),
    queries=st.integers(1, 5),
    concentration=st.sampled_from([1e-4, 0.3, 2.0, 1e6]),
    seed=st.integers(0, 2**63 - 1),
    step=st.integers(0, 2**62),
)
def test_every_batch_keeps_the_contract(
    ways, shots, queries, concentration, seed, step
):
    episodes = Episodes(
        LARGE,
        ways=ways,
        shots=shots,
        queries=queries,
        tasks=3,
        seed=seed,
        query_dirichlet=concentration,
    )
    inputs, y = episodes.batch(step)
    assert y.shape == (3, ways * queries) and y.dtype == tf.int32
    classes, examples, _ = decode(inputs["query"])
    ids = episodes.class_ids(step)
    np.testing.assert_array_equal(np.take_along_axis(ids, y.numpy(), 1), classes)
    drawn = episodes.indices(step)
    for task in range(3):
        rows = np.concatenate(
            [drawn.support[task].numpy().ravel(), drawn.query[task].numpy().ravel()]
        )
        assert len(set(rows)) == len(rows)
        np.testing.assert_array_equal(
            rows[-ways * queries :], LARGE.offsets[classes[task]] + examples[task]
        )


def test_support_and_classes_are_those_of_equal_queries():
    settings = {"ways": 3, "shots": 2, "queries": 4, "tasks": 2, "seed": 5}
    equal = Episodes(LARGE, **settings)
    for unequal in (
        Episodes(LARGE, **settings, query_dirichlet=2.0),
        equal.with_dirichlet_queries(),
    ):
        for step in (0, 7):
            ours, theirs = unequal.batch(step)[0], equal.batch(step)[0]
            np.testing.assert_array_equal(ours["support"], theirs["support"])
            np.testing.assert_array_equal(
                unequal.class_ids(step), equal.class_ids(step)
            )
            assert np.any(ours["query"] != theirs["query"])
        assert unequal.describe() == {**equal.describe(), "query_dirichlet": 2.0}
    np.testing.assert_array_equal(
        unequal.batch(3)[1],
        Episodes(LARGE, **settings, query_dirichlet=2.0).batch(3)[1],
    )


def test_fewer_queries_may_be_asked_for():
    settings = {"ways": 4, "shots": 2, "seed": 5}
    equal = Episodes(LARGE, **settings, queries=15)
    equal.class_ids(0)
    fewer = equal.with_dirichlet_queries(1.0, queries=3)
    assert fewer.batch(0)[1].shape == (1, 12)
    assert fewer.describe()["queries"] == 3
    assert equal.queries == 15 and "query_dirichlet" not in equal.describe()


def test_proportions_have_the_moments_of_the_distribution():
    ways, concentration, total = 5, 2.0, 1000
    counts = draw_dirichlet_counts(4000, ways, total, concentration, [3, 4]).numpy()
    assert (counts.sum(axis=1) == total).all() and (counts >= 0).all()
    shares = counts / total
    mean = 1 / ways
    variance = mean * (1 - mean) / (ways * concentration + 1)
    np.testing.assert_allclose(shares.mean(axis=0), mean, atol=0.01)
    np.testing.assert_allclose(shares.var(axis=0), variance, rtol=0.1)
    covariance = np.cov(shares[:, 0], shares[:, 1])[0, 1]
    assert covariance == pytest.approx(-variance / (ways - 1), rel=0.2)


def test_counts_are_the_largest_remainders_of_the_shares():
    stream, ways, total = tf.constant([7, 8], tf.int64), 4, 11
    counts = draw_dirichlet_counts(50, ways, total, 2.0, stream).numpy()
    weights = tf.random.stateless_gamma(
        [50, ways], stream, alpha=tf.constant(2.0, tf.float64), dtype=tf.float64
    ).numpy()
    for row, found in zip(weights, counts, strict=True):
        shares = row / row.sum() * total
        expected = np.floor(shares).astype(int)
        for way in np.argsort(expected - shares)[: total - expected.sum()]:
            expected[way] += 1
        np.testing.assert_array_equal(found, expected)


def test_every_task_draws_its_own_and_a_large_number_makes_them_equal():
    settings = {"ways": 4, "queries": 6, "tasks": 4, "seed": 2}
    counts = counts_of(draw(Episodes(LARGE, **settings, query_dirichlet=2.0), 10))
    assert (counts.sum(axis=1) == 24).all()
    assert len(np.unique(counts, axis=0)) > 30
    equal = counts_of(draw(Episodes(LARGE, **settings, query_dirichlet=1e9), 10))
    assert (equal == 6).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query_dirichlet": 0}, "`query_dirichlet` must be above 0.*=0"),
        ({"query_dirichlet": float("nan")}, "`query_dirichlet` must be above 0.*nan"),
        ({"ways": (2, 3)}, r"`query_dirichlet` needs.*ways=\(2, 3\)"),
        ({"unlabelled": 1}, "`query_dirichlet` needs.*unlabelled=1"),
        ({"queries": 14}, r"shots \+ ways \* queries` = 1 \+ 42 = 43.*has 40"),
    ],
)
def test_what_cannot_be_drawn_is_named(options, message):
    settings = {"ways": 3, "queries": 2, "query_dirichlet": 2.0, **options}
    with pytest.raises(ValueError, match=message):
        Episodes(LARGE, **settings)
