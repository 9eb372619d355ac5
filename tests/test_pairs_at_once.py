"""What is traced for small runtimes answers the same, without loops and float64."""

import numpy as np
import pytest
import tensorflow as tf
from every_learner import LEARNERS, WAYS, examples

from tfmeta.pairs_at_once import are_pairs_at_once, pairs_at_once
from tfmeta.squares import pairwise_squares


def test_it_ends_with_its_block_and_with_an_error():
    assert not are_pairs_at_once()
    with pytest.raises(KeyError), pairs_at_once():
        assert are_pairs_at_once()
        raise KeyError
    assert not are_pairs_at_once()


@pytest.mark.parametrize("weighted", [False, True])
def test_squares_are_exact_beside_an_offset(weighted):
    rng = np.random.default_rng(0)
    # As float32 numbers, far from 0 and close to each other.
    query, reference = (
        (1000 + rng.normal(size=(2, rows, 5))).astype(np.float32) for rows in (4, 3)
    )
    weights = rng.uniform(1, 2, (2, 3, 5)).astype(np.float32) if weighted else None
    gaps = query[:, :, None].astype(np.float64) - reference[:, None]
    scale = 1.0 if weights is None else weights[:, None]
    expected = np.sum(scale * gaps**2, axis=-1)
    with pairs_at_once():
        found = pairwise_squares(query, reference, weights)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["relation", "siamese", "gaussian"])
def test_learners_answer_the_same(name):
    learner = LEARNERS[name]()
    support, query = examples(learner.encoder, WAYS), examples(learner.encoder, 4)

    def logits(support, query):
        state = learner.adapt(support[None], tf.eye(WAYS)[None])
        return learner.predict_query(state, query[None])

    expected = logits(support, query)
    with pairs_at_once():
        rows = tf.TensorSpec([None, *query.shape[1:]], query.dtype)
        traced = tf.function(logits, input_signature=[rows, rows], autograph=False)
        graph = traced.get_concrete_function().graph
    np.testing.assert_allclose(traced(support, query), expected, rtol=1e-4, atol=1e-5)
    loops = ("While", "If", "Case")
    assert not [op for op in graph.get_operations() if op.type.endswith(loops)]
