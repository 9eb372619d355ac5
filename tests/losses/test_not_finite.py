"""Every public loss passes NaN and infinity on, in every mode of execution."""

import inspect
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta.losses
from tfmeta.losses import ContrastiveLoss, EmbeddingLoss, RelationScoreLoss, TripletLoss

EMBEDDING_LOSSES = [
    *(
        ContrastiveLoss(squared=squared, balanced=balanced, distance=distance)
        for squared, balanced, distance in (
            (True, False, "euclidean"),
            (False, True, "cosine"),
            (True, True, "squared_euclidean"),
        )
    ),
    *(
        TripletLoss(mining=mining, distance=distance)
        for mining, distance in (
            ("semi_hard", "euclidean"),
            ("hard", "squared_euclidean"),
            ("all", "cosine"),
            ("all", "euclidean"),
        )
    ),
]
LABELS = np.array([0, 0, 1, 1, 2, 2, 3])
JIT = pytest.mark.parametrize("jit_compile", [False, True])


def rows():
    return np.random.default_rng(0).normal(size=(7, 3)).astype("float32")


def test_all_public_losses_are_looked_at():
    """The functions of a pair and of a triplet are looked at below."""
    public = {
        value
        for name in tfmeta.losses.__all__
        if inspect.isclass(value := getattr(tfmeta.losses, name))
    }
    seen = {type(loss) for loss in EMBEDDING_LOSSES} | {RelationScoreLoss}
    assert public - {EmbeddingLoss} == seen


@JIT
@pytest.mark.parametrize("loss", EMBEDDING_LOSSES)
def test_an_embedding_that_is_not_finite(loss, jit_compile):
    value = tf.function(
        lambda embeddings, weights: loss(LABELS, embeddings, weights),
        jit_compile=jit_compile,
    )
    weights = np.ones(7, "float32")
    expected = value(rows(), weights).numpy()
    assert np.isfinite(expected) and expected > 0
    # The last row is alone in its class.
    for row, number in itertools.product((0, 6), (np.nan, np.inf, -np.inf)):
        embeddings = rows()
        embeddings[row, 1] = number
        assert not np.isfinite(value(embeddings, weights))
        without = weights.copy()
        without[row] = 0.0
        found = value(embeddings, without).numpy()
        assert found == value(rows(), without).numpy() and np.isfinite(found)


@pytest.mark.parametrize("loss", EMBEDDING_LOSSES)
def test_one_task_that_is_not_finite(loss):
    embeddings = np.stack([rows(), rows()])
    embeddings[1, 2, 0] = np.nan
    labels = np.stack([LABELS, LABELS])
    assert np.isnan(loss(labels, embeddings))
    weights = np.stack([np.ones(7), np.zeros(7)])
    found = float(loss(labels, embeddings, weights))
    assert found == pytest.approx(float(loss(LABELS, rows())))


@JIT
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_relation_score_that_is_not_finite(number, jit_compile):
    loss = tf.function(RelationScoreLoss(), jit_compile=jit_compile)
    labels = np.array([[0, 1]])
    logits = np.array([[[0.5, -1.0, -np.inf], [0.0, 1.0, -np.inf]]], "float32")
    assert np.isfinite(loss(labels, logits))
    for way in (0, 1, 2):
        broken = logits.copy()
        broken[0, 1, way] = number
        assert np.isnan(loss(labels, broken))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_pairs_and_triplets_that_are_not_finite(number):
    pairs = tfmeta.losses.contrastive([1, 0], [number, np.nan])
    assert not np.isfinite(pairs).any()
    triplets = tfmeta.losses.triplet([number, 0.5, np.nan], [0.5, number, np.nan])
    assert not np.isfinite(triplets).any()


@pytest.mark.parametrize("distance", ["euclidean", "squared_euclidean"])
@pytest.mark.parametrize("loss", [ContrastiveLoss, TripletLoss])
def test_an_offset_of_all_embeddings_changes_nothing(loss, distance):
    embeddings = np.random.default_rng(1).integers(-4, 5, size=(7, 3)) / 8
    loss = loss(distance=distance)
    expected = float(loss(LABELS, embeddings.astype("float32")))
    found = float(loss(LABELS, (embeddings + 2.0**14).astype("float32")))
    assert found == pytest.approx(expected, rel=1e-6)


def test_all_triplets_of_distances_that_are_all_large():
    """Anchors far from everything: what counts is a difference of large distances."""

    class FarAway(tfmeta.distances.Euclidean):
        def __call__(self, query, reference):
            return 2.0**16 + super().__call__(query, reference)

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(20), 10)
    # A grid, on which 2**16 rounds no distance.
    places = (rng.integers(-512, 513, size=(200, 1)) / 128).astype("float32")
    near = TripletLoss(mining="all", dtype="float64")(labels, places)
    far = TripletLoss(mining="all", distance=FarAway())(labels, places)
    assert float(far) == pytest.approx(float(near), rel=1e-6)


def test_keras_fit_says_nan():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", loss=TripletLoss())
    examples = rows()
    examples[3, 0] = np.nan
    history = model.fit(examples, LABELS, batch_size=7, verbose=0).history
    assert np.isnan(history["loss"][0])


@pytest.mark.parametrize("mining", ["semi_hard", "hard", "all"])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_labels_and_weights_that_are_no_numbers(mining, distance):
    embeddings = np.random.default_rng(0).normal(size=(6, 4)).astype("f4")
    labels = np.array([0, 0, 1, 1, 2, 2], "f4")
    for loss in (TripletLoss(1.0, mining, distance), ContrastiveLoss(1.0)):
        assert np.isfinite(loss(labels, embeddings))
        for number in (np.nan, np.inf, -np.inf, -1.0):
            weights = np.ones(6, "f4")
            weights[3] = number
            assert np.isnan(loss(labels, embeddings, sample_weight=weights))
        for number in (np.nan, np.inf):
            spoiled = labels.copy()
            spoiled[3] = number
            assert np.isnan(loss(spoiled, embeddings))


@pytest.mark.parametrize("label", [np.nan, -1.0, 3.0, 2.0])
def test_a_right_way_that_there_is_not_has_no_relation_score(label):
    logits = np.array([[[0.0, 0.0, -np.inf], [0.0, 0.0, -np.inf]]], "f4")
    assert np.isclose(RelationScoreLoss()(np.array([[0.0, 1.0]]), logits), 0.25)
    assert np.isnan(RelationScoreLoss()(np.array([[0.0, label]]), logits))
