"""Contrastive and triplet loss against loops, their gradients and Keras' habits."""

import itertools

import hypothesis
import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf
from losses_by_hand import (
    contrastive_by_hand,
    distances_by_hand,
    triplet_by_hand,
)

from tfmeta import distances
from tfmeta.losses import ContrastiveLoss, TripletLoss, contrastive, triplet

DISTANCES = ("euclidean", "squared_euclidean", "cosine")
MININGS = ("semi_hard", "hard", "all")
LOSSES = [
    *(
        (ContrastiveLoss, contrastive_by_hand, {"squared": s, "balanced": b})
        for s, b in itertools.product((True, False), repeat=2)
    ),
    *((TripletLoss, triplet_by_hand, {"mining": mining}) for mining in MININGS),
]
PARAMETERS = ("kind", "by_hand", "options")
COMPILED = (LOSSES[0], LOSSES[-1])


def batch(seed=0, rows=12, classes=4, features=3):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, rows), rng.normal(size=(rows, features))


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(PARAMETERS, LOSSES)
def test_values(kind, by_hand, options, distance):
    loss = kind(1.3, distance=distance, dtype="float64", **options)
    for seed in range(3):
        labels, embeddings = batch(seed)
        weights = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 2.0], len(labels))
        d = distances_by_hand(distance, embeddings)
        ones = np.ones(len(labels))
        for w, expected in (
            (None, by_hand(labels, d, ones, 1.3, **options)),
            (weights, by_hand(labels, d, weights, 1.3, **options)),
        ):
            found = float(loss(labels, embeddings, w))
            assert found == pytest.approx(expected, rel=1e-9)


@hypothesis.settings(max_examples=60)
@hypothesis.given(st.data())
def test_mining_finds_what_a_loop_finds(data):
    """On a grid, where distances tie and duplicates are common."""
    rows = data.draw(st.integers(0, 9))
    # The anchor's distance on a line is the difference, exactly.
    place = st.integers(0, 6)
    embeddings = np.array(
        data.draw(st.lists(place, min_size=rows, max_size=rows)), float
    )[:, None].reshape(rows, 1)
    labels = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows)), int
    )
    weights = np.array(
        data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=rows, max_size=rows)),
        float,
    )
    margin = data.draw(st.sampled_from([0.5, 1.0, 2.5]))
    d = np.abs(embeddings - embeddings.T)
    for mining in MININGS:
        loss = TripletLoss(margin, mining, dtype="float64")
        found = float(loss(labels, embeddings, weights))
        expected = triplet_by_hand(labels, d, weights, margin, mining)
        assert found == pytest.approx(expected, abs=1e-9), mining


def test_semi_hard_takes_the_band_and_else_the_farthest():
    """One anchor at 0 with a positive at 1; the others are alone in their class."""

    def costs(*negatives):
        places = np.array([0.0, 1.0, *negatives])[:, None]
        labels = np.array([0, 0, *range(1, 1 + len(negatives))])
        # Only the anchor at 0 and the anchor at 1 have a positive.
        return 2 * float(TripletLoss(1.0, dtype="float64")(labels, places))

    # From 0: semi-hard at 1.5; from 1: at distance 0.5 nearer than the positive.
    assert costs(1.5) == pytest.approx(0.5 + 1.5)
    # From 0: 1.9 before 2.5 and 0.2; from 1: 2.5 before 1.9 and 0.2.
    assert costs(0.2, 1.9, 2.5) == pytest.approx(0.1 + 0.5)
    # All beyond the margin.
    assert costs(9.0) == 0.0


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(PARAMETERS, LOSSES)
def test_gradient_against_central_differences(kind, by_hand, options, distance):
    labels, start = batch(4, rows=8, classes=3)
    weights = np.array([1, 1, 0, 1, 2, 1, 1, 0.5])
    loss = kind(0.9, distance=distance, dtype="float64", **options)
    variable = tf.Variable(start)
    with tf.GradientTape() as tape:
        value = loss(labels, variable, weights)
    gradient = tape.gradient(value, variable).numpy()

    def value_at(embeddings):
        d = distances_by_hand(distance, embeddings)
        return by_hand(labels, d, weights, 0.9, **options)

    for place in np.ndindex(start.shape):
        step = np.zeros_like(start)
        step[place] = 1e-6
        numeric = (value_at(start + step) - value_at(start - step)) / 2e-6
        assert gradient[place] == pytest.approx(numeric, rel=1e-5, abs=1e-8)
    assert np.abs(gradient).max() > 0.01


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(PARAMETERS, LOSSES)
@pytest.mark.parametrize(
    ("labels", "embeddings"),
    [
        ([0, 0, 1, 1], np.ones((4, 3))),
        ([0, 0, 1, 1], np.zeros((4, 3))),
        ([0, 0, 0], np.ones((3, 2))),
        ([0, 1, 2], np.eye(3)),
        ([5], np.ones((1, 2))),
        ([], np.ones((0, 2))),
    ],
    ids=["duplicates", "zeros", "one class", "no class twice", "one row", "no row"],
)
def test_gradient_stays_finite(kind, by_hand, options, distance, labels, embeddings):
    variable = tf.Variable(embeddings.astype("float32"))
    with tf.GradientTape() as tape:
        value = kind(distance=distance, **options)(np.array(labels, "int64"), variable)
    gradient = tape.gradient(value, variable)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    if kind is TripletLoss and len(set(labels)) in (0, 1, 3):
        assert value == 0.0
        assert not gradient.numpy().any()


@pytest.mark.parametrize(PARAMETERS, LOSSES)
def test_rows_of_weight_0_are_as_if_not_there(kind, by_hand, options):
    labels, embeddings = batch(1)
    loss = kind(dtype="float64", **options)
    expected = loss(labels, embeddings)
    padded = np.concatenate([embeddings, np.full((3, 3), np.nan)])
    more = np.concatenate([labels, [0, 1, 9]])
    weights = np.concatenate([np.ones(len(labels)), np.zeros(3)])
    found = loss(more, padded, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(PARAMETERS, LOSSES)
def test_tasks_are_not_compared_with_each_other(kind, by_hand, options):
    """Batches of the same triplets: the mean over both is that of the means."""
    labels, embeddings = batch(2)
    loss = kind(dtype="float64", **options)
    moved = 3.0 * embeddings[:, ::-1] + 100.0
    separate = [float(loss(labels, e)) for e in (embeddings, moved)]
    together = loss(np.stack([labels, labels]), np.stack([embeddings, moved]))
    # The number of pairs, and of triplets, is that of the labels.
    np.testing.assert_allclose(together, np.mean(separate), rtol=1e-9)


@pytest.mark.parametrize(
    ("jit_compile", *PARAMETERS),
    [
        pytest.param(
            jit_compile,
            *loss,
            # Of each kind one is compiled by default.
            marks=pytest.mark.slow if jit_compile and loss not in COMPILED else (),
        )
        for jit_compile in (False, True)
        for loss in LOSSES
    ],
)
def test_in_graphs_of_unknown_sizes(kind, by_hand, options, jit_compile):
    loss = kind(**options)

    @tf.function(
        jit_compile=jit_compile,
        input_signature=[
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None, None], tf.float32),
        ],
    )
    def value_and_gradient(labels, embeddings):
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(labels, embeddings)
        return value, tape.gradient(value, embeddings)

    labels, embeddings = batch(3)
    value, gradient = value_and_gradient(labels, embeddings.astype("float32"))
    expected = by_hand(
        labels, distances_by_hand("euclidean", embeddings), np.ones(12), **options
    )
    assert float(value) == pytest.approx(expected, rel=1e-4)
    assert gradient.shape == (12, 3)


def test_the_pair_form_by_hand():
    found = contrastive([1, 0, 0], [0.5, 0.5, 2.0], margin=1.5)
    np.testing.assert_allclose(found, [0.25, 1.0, 0.0])
    found = contrastive([True, False, False], [0.5, 0.5, 2.0], 1.5, squared=False)
    np.testing.assert_allclose(found, [0.5, 1.0, 0.0])


@pytest.mark.parametrize("squared", [True, False])
def test_1_means_alike(squared):
    """Turned round, near pairs of one class would cost the most."""
    near, far = 0.1, 0.9
    alike = contrastive([1, 1], [near, far], squared=squared).numpy()
    unlike = contrastive([0, 0], [near, far], squared=squared).numpy()
    assert alike[0] < alike[1]
    assert unlike[0] > unlike[1]
    loss = ContrastiveLoss(squared=squared)
    places = np.array([[0.0], [0.1], [5.0], [5.1]])
    assert loss([3, 3, 8, 8], places) < 0.1 < loss([3, 8, 3, 8], places)


def test_the_triple_form_by_hand():
    found = triplet([0.5, 0.5, 2.0], [0.75, 2.0, 1.0], margin=1.0)
    np.testing.assert_allclose(found, [0.75, 0.0, 2.0])
    assert TripletLoss()([0, 0, 1], [[0.0], [0.1], [9.0]]) == 0.0
    assert TripletLoss()([0, 1, 0], [[0.0], [0.1], [9.0]]) > 1.0


def test_half_precision_is_computed_in_float32():
    labels, embeddings = batch(5)
    half = tf.cast(embeddings, tf.bfloat16)
    found = TripletLoss()(labels, half)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(
        found, TripletLoss()(labels, tf.cast(half, tf.float32)), rtol=1e-6
    )


def test_large_labels_are_compared_exactly():
    """As float32, the two numbers are one."""
    labels = np.array([2**24, 2**24 + 1])
    assert ContrastiveLoss()(labels, np.array([[0.0], [3.0]], "float32")) == 0.0


@pytest.mark.parametrize(
    "loss",
    [
        ContrastiveLoss(0.4, squared=False, distance="cosine", balanced=True),
        TripletLoss(0.2, "hard", distances.SquaredEuclidean(), dtype="float64"),
    ],
    ids=["contrastive", "triplet"],
)
def test_config(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    labels, embeddings = batch(6)
    assert again(labels, embeddings) == loss(labels, embeddings)


@pytest.mark.parametrize(
    ("loss", "jit_compile"),
    [
        (ContrastiveLoss(2.0), False),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [
                (ContrastiveLoss(2.0), True),
                (TripletLoss(mining="all"), False),
                (TripletLoss(mining="all"), True),
            ]
        ),
    ],
)
def test_trains_a_plain_keras_model(tmp_path, loss, jit_compile):
    """Ten classes on two axes under louder noise on six."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 30)
    angles = 2 * np.pi * labels / 10
    signal = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    noise = rng.normal(size=(300, 8)) * ([0.05] * 2 + [1.0] * 6)
    examples = (np.concatenate([signal, np.zeros((300, 6))], 1) + noise).astype(
        "float32"
    )
    kernel = keras.initializers.Orthogonal(seed=0)
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(4, kernel_initializer=kernel)]
    )
    model.compile(keras.optimizers.Adam(0.02), loss=loss, jit_compile=jit_compile)

    def nearest_is_alike():
        embeddings = model.predict(examples, verbose=0)
        d = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=-1)
        np.fill_diagonal(d, np.inf)
        return np.mean(labels[d.argmin(1)] == labels)

    before = nearest_is_alike()
    history = model.fit(examples, labels, batch_size=100, epochs=40, verbose=0).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert nearest_is_alike() > before + 0.2
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == loss.get_config()
    assert loaded.evaluate(examples, labels, verbose=0) == pytest.approx(
        model.evaluate(examples, labels, verbose=0), rel=1e-5
    )


class Overlap(distances.Distance):
    smaller_is_closer = False


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContrastiveLoss(0.0), "`margin`.*above 0.*margin=0.0"),
        (lambda: TripletLoss(float("nan")), "`margin`.*nan"),
        (lambda: TripletLoss("wide"), "`margin`.*'wide'"),
        (lambda: TripletLoss(mining="soft"), "`mining`.*semi_hard, hard, all.*'soft'"),
        (lambda: ContrastiveLoss(distance="l3"), "`distance`.*'l3'"),
        (lambda: ContrastiveLoss(distance=Overlap()), "`distance`.*cosine.*Overlap"),
    ],
)
def test_what_is_no_loss_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        (np.eye(4), None, r"`y_true`.*\(batch,\).*\(4, 4\)"),
        (np.zeros(3), None, r"`y_true`.*\(3,\).*\(4, 2\)"),
        (np.zeros(4), np.ones(3), r"`sample_weight`.*\(3,\)"),
    ],
)
def test_other_shapes_are_refused(labels, weights, message):
    with pytest.raises(ValueError, match=message):
        ContrastiveLoss()(labels, np.ones((4, 2), "float32"), weights)
    column = ContrastiveLoss()(np.zeros((4, 1)), np.ones((4, 2), "float32"))
    assert column == 0.0
