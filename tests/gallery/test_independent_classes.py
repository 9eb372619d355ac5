"""Learners that learn a class by itself, and those that do not: all of the registry."""

import numpy as np
import pytest
import tensorflow as tf
from small_learners import FEATURES, MAKERS, every_kind_is_here, points

SIZES = (3, 1, 4, 2)
DECLARED = {
    "prototypical",
    "prototypical_cosine",
    "gaussian_prototypical",
    "relation",
    "simple_shot",
    "simple_shot_centered",
}


def embeddings_of(learner, examples):
    return learner.embed(tf.constant(examples)[None])


def learned(learner, classes):
    """The state of some classes together, `(1, ...)`."""
    labels = np.repeat(np.arange(len(classes)), [len(one) for one in classes])
    embeddings = embeddings_of(learner, np.concatenate(classes))
    one_hot = tf.one_hot(labels, len(classes))[None]
    return learner.adapt_embeddings(embeddings, one_hot)


def test_every_learner_is_looked_at():
    assert every_kind_is_here()


# Heads that are fitted step by step, which declare nothing.
SLOW = ("baseline", "baseline_plus_plus", "logistic_regression", "matching_full")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in MAKERS],
)
def test_what_is_declared_is_true(name):
    learner = MAKERS[name]()
    classes = list(points(SIZES, seed=1).values())
    queries = np.random.default_rng(2).normal(size=(6, FEATURES)).astype("f4")
    embedded = embeddings_of(learner, queries)
    together = learned(learner, classes)
    logits = learner.compare_embeddings(together, embedded)
    alone = [learned(learner, [one]) for one in classes]
    by_one = [learner.compare_embeddings(state, embedded) for state in alone]

    def is_concatenation():
        return all(
            part.shape == np.concatenate([s[key] for s in alone], axis=1).shape
            and np.allclose(part, np.concatenate([s[key] for s in alone], 1), atol=1e-5)
            for key, part in together.items()
        )

    assert learner.independent_classes == (name in DECLARED)
    if name in DECLARED:
        assert is_concatenation()
        np.testing.assert_allclose(logits, np.concatenate(by_one, 2), atol=2e-5)
    elif name == "semi_supervised_prototypical":
        # As a Prototypical Network without unlabelled examples, which others share.
        assert learner.uses_unlabelled
    else:
        same_logits = np.allclose(logits, np.concatenate(by_one, 2), atol=1e-3)
        assert not (is_concatenation() and same_logits)
