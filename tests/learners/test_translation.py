"""What is built upon Euclidean distances does not see where all embeddings lie.

Encoders are the identity, so that examples are embeddings. Examples lie on a grid that
float32 holds at every offset: a translation rounds none of them.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners import (
    ANIL,
    MAML,
    BaselinePlusPlus,
    GaussianPrototypicalNetwork,
    MatchingNetwork,
    MetaSGD,
    PrototypicalNetwork,
    SemiSupervisedPrototypicalNetwork,
    SiameseNetwork,
    ZeroShotPrototypicalNetwork,
)

FEATURES, WAYS, SHOTS, QUERIES, TASKS = 64, 5, 3, 12, 3
OFFSETS = (1e3, 1e4)


def identity(features=FEATURES):
    return keras.Sequential([keras.Input((features,)), keras.layers.Flatten()])


def cosine_of_nothing_but_directions():
    return BaselinePlusPlus(identity(), 3, head_steps=20, seed=0)


LEARNERS = {
    "squared_euclidean": lambda: PrototypicalNetwork(identity()),
    "euclidean": lambda: PrototypicalNetwork(identity(), "euclidean"),
    "matching": lambda: MatchingNetwork(identity(), "squared_euclidean"),
    "matching euclidean": lambda: MatchingNetwork(identity(), "euclidean"),
    "soft_k_means": lambda: SemiSupervisedPrototypicalNetwork(
        identity(), steps=2, unlabelled_from="queries"
    ),
    "masked_soft_k_means": lambda: SemiSupervisedPrototypicalNetwork(
        identity(), "masked_soft_k_means", unlabelled_from="queries"
    ),
    "contrastive": lambda: SiameseNetwork(identity(), "contrastive"),
    "triplet of means": lambda: SiameseNetwork(
        identity(), "triplet", distance="squared_euclidean", k_shot="mean"
    ),
    "verification": lambda: SiameseNetwork(identity(), k_shot="mean"),
    "zero-shot": lambda: ZeroShotPrototypicalNetwork(
        identity(), identity(), unit_prototypes=False
    ),
}
# The start of an adapted head is a matrix product with the whole features.
HEADS = {
    kind.__name__: lambda kind=kind: kind(
        identity(), None, head="prototypes", inner_learning_rate=1e-12, inner_steps=1
    )
    for kind in (MAML, ANIL, MetaSGD)
}
# Their last numbers are covariances, which are not moved.
GAUSSIAN = {
    covariance: lambda c=covariance: GaussianPrototypicalNetwork(
        identity(FEATURES if c == "radius" else 2 * FEATURES - 2), covariance=c
    )
    for covariance in ("radius", "diagonal")
}


def episode(features=FEATURES, *, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(TASKS, WAYS, 1, features))
    support, query = (
        np.round((centres + rng.normal(size=(TASKS, WAYS, n, features))) * 32) / 32
        for n in (SHOTS, QUERIES)
    )
    labels = np.tile(np.repeat(np.eye(WAYS), SHOTS, axis=0), (TASKS, 1, 1))
    return (
        support.reshape(TASKS, -1, features).astype("float32"),
        labels.astype("float32"),
        query.reshape(TASKS, -1, features).astype("float32"),
        np.repeat(np.arange(WAYS), QUERIES),
    )


def logits_at(learner, offset, features=FEATURES, moved=None):
    support, labels, query, _ = episode(features)
    shift = np.zeros(features, "float32")
    shift[:moved] = offset
    state = learner.adapt(support + shift, labels)
    return learner.predict_query(state, query + shift).numpy()


def probabilities(logits):
    return tf.nn.softmax(logits).numpy()


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", LEARNERS)
def test_logits_stay(name, offset):
    learner = LEARNERS[name]()
    expected = logits_at(learner, 0.0)
    np.testing.assert_allclose(
        logits_at(learner, offset), expected, rtol=1e-3, atol=1e-2
    )


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("covariance", GAUSSIAN)
def test_gaussian_logits_stay(covariance, offset):
    learner = GAUSSIAN[covariance]()
    features, moved = learner.encoder.output_shape[1], learner.features
    expected = logits_at(learner, 0.0, features, moved)
    found = logits_at(learner, offset, features, moved)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("offset", (0.0, *OFFSETS))
@pytest.mark.parametrize("name", ["squared_euclidean", "zero-shot", *HEADS])
def test_answers_are_those_of_differences(name, offset):
    """Of the nearest class mean, by differences in float64."""
    support, labels, query, right = episode()
    means = np.einsum("tsw,tsf->twf", labels, support.astype("float64")) / SHOTS
    squares = ((query[:, :, None].astype("float64") - means[:, None]) ** 2).sum(-1)
    learner = {**LEARNERS, **HEADS}[name]()
    answers = logits_at(learner, offset).argmax(-1)
    np.testing.assert_array_equal(answers, squares.argmin(-1))
    assert (answers == right).mean() > 0.95


def test_the_start_of_a_head_gives_the_probabilities_of_distances():
    """At an offset that the logits, of some millions there, leave room for."""
    expected = probabilities(logits_at(LEARNERS["squared_euclidean"](), 64.0))
    for make in HEADS.values():
        found = probabilities(logits_at(make(), 64.0))
        np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize("scale", [1e-30, 1e-7, 1e30])
@pytest.mark.parametrize(
    "make",
    [
        lambda: PrototypicalNetwork(identity(), "cosine"),
        lambda: MatchingNetwork(identity()),
        lambda: SiameseNetwork(identity(), "triplet", distance="cosine"),
        cosine_of_nothing_but_directions,
    ],
    ids=["prototypical", "matching", "siamese", "baseline++"],
)
def test_the_scale_of_either_side_does_not_matter_to_cosines(make, scale):
    learner = make()
    support, labels, query, _ = episode()
    expected = learner.predict_query(learner.adapt(support, labels), query)
    scale = np.float32(scale)
    for sides in ((scale, 1), (1, scale), (scale, 1 / scale)):
        state = learner.adapt(support * np.float32(sides[0]), labels)
        found = learner.predict_query(state, query * np.float32(sides[1]))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_support_of_zeros_has_gradients_of_usual_size():
    learner = PrototypicalNetwork(identity(), "cosine")
    support, labels, query, right = episode()
    support[0, :SHOTS] = 0.0
    x = tf.Variable(support)
    with tf.GradientTape() as tape:
        logits = learner.predict_query(learner.adapt(x, labels), query)
        loss = tf.reduce_sum(tf.nn.log_softmax(logits) * np.eye(WAYS, dtype="f")[right])
    gradient = tape.gradient(loss, x).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() < 10
    np.testing.assert_array_equal(gradient[0, :SHOTS], 0.0)
