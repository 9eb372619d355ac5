"""Features, base means and priors, which heads on a frozen encoder share."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export
from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, as_supervised
from tfmeta.evaluation import evaluate
from tfmeta.learners import LogisticRegression, SimpleShot

BOTH = pytest.mark.parametrize("cls", [SimpleShot, LogisticRegression])
# Most of the time goes into tracing the fit, for each signature again.
BOTH_SAVED = pytest.mark.parametrize(
    "cls", [SimpleShot, pytest.param(LogisticRegression, marks=pytest.mark.slow)]
)
FEATURES = 6


def make_learner(cls=SimpleShot, trainable=False, dtype="float32", **arguments):
    """On an encoder whose features are far from the origin, as those of pictures."""
    encoder = keras.Sequential(
        [keras.Input((4,), dtype=dtype), keras.layers.Dense(FEATURES, dtype=dtype)]
    )
    rng = np.random.default_rng(0)
    encoder.set_weights([rng.normal(size=w.shape) for w in encoder.weights])
    encoder.trainable = trainable
    return cls(encoder, dtype=dtype, **arguments)


def embed(learner, examples):
    kernel, bias = learner.encoder.get_weights()
    return examples @ kernel.astype("float64") + bias


def make_table(name="table", seed=0, classes=8, each=10):
    rng = np.random.default_rng(seed)
    centres = 2 * rng.normal(size=(classes, 1, 4))
    examples = (centres + rng.normal(size=(classes, each, 4))).reshape(-1, 4)
    labels = [f"{name}{i // each}" for i in range(len(examples))]
    return ClassTable.from_arrays(name, examples.astype("float32"), labels)


def make_task(ways=3, shots=(2, 1, 3), queries=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(ways), shots)
    support = rng.normal(size=(1, len(labels), 4)).astype("float32")
    query = rng.normal(size=(1, queries, 4)).astype("float32")
    return support, np.eye(ways, dtype="float32")[labels][None], query


def logits_of(learner, support, labels, query, **arguments):
    state = learner.adapt(support, labels, **arguments)
    return learner.predict_query(state, query).numpy()


def test_the_mean_of_base_classes_is_that_of_all_their_examples():
    table = make_table()
    examples = np.asarray(table.examples[:], "float64")
    from_embeddings, from_batches, from_examples = (
        make_learner(transform="centered_l2") for _ in range(3)
    )
    expected = embed(from_embeddings, examples).mean(axis=0)
    from_embeddings.fit_base_mean(embed(from_embeddings, examples))
    # The last batch is smaller, and counts for as many as it has.
    from_batches.fit_base_mean(as_supervised(table, batch_size=32, epochs=1))
    from_examples.fit_base_mean(
        tf.data.Dataset.from_tensor_slices(table.examples[:]).batch(32)
    )
    for learner in (from_embeddings, from_batches, from_examples):
        np.testing.assert_allclose(learner.base_mean, expected, rtol=1e-5)


def test_a_new_mean_is_heeded_by_what_was_traced_before():
    learner = make_learner(transform="centered_l2", base_mean=np.ones(FEATURES))
    learner.compile(run_eagerly=False)
    inputs = dict(zip(("support", "support_labels", "query"), make_task(), strict=True))
    before = learner.predict(inputs, verbose=0)
    learner.fit_base_mean(3 * np.ones((2, FEATURES)))
    after = learner.predict(inputs, verbose=0)
    fresh = make_learner(transform="centered_l2", base_mean=3 * np.ones(FEATURES))
    np.testing.assert_allclose(after, fresh(inputs), rtol=1e-5)
    assert np.abs(after - before).max() > 1e-3


@BOTH_SAVED
def test_the_mean_is_saved_and_exported(cls, tmp_path):
    learner = make_learner(cls, transform="centered_l2")
    learner.fit_base_mean(np.random.default_rng(1).normal(size=(7, FEATURES)))
    support, labels, query = make_task()
    expected = tf.nn.softmax(logits_of(learner, support, labels, query)[0])

    learner.save(tmp_path / "learner.keras")
    again = keras.saving.load_model(tmp_path / "learner.keras")
    np.testing.assert_array_equal(again.base_mean, learner.base_mean)
    # Weights alone bring the mean along, into a learner that had none.
    learner.save_weights(tmp_path / "learner.weights.h5")
    without = make_learner(cls, transform="centered_l2")
    without.load_weights(tmp_path / "learner.weights.h5")
    for other in (again, without):
        found = tf.nn.softmax(logits_of(other, support, labels, query)[0])
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    served = tf.saved_model.load(export.save(learner, tmp_path / "served"))
    found = served.signatures["classify"](
        support=support[0],
        support_labels=labels[0].argmax(-1).astype("int32"),
        query=query[0],
    )["probabilities"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_without_a_mean_there_is_nothing_to_centre_by():
    learner = make_learner(transform="centered_l2")
    assert learner.base_mean is None
    with pytest.raises(ValueError, match="`base_mean` must be given.*base_mean=None"):
        learner.adapt(*make_task()[:2])


@pytest.mark.parametrize(
    ("transform", "mean", "words"),
    [
        ("l2", np.ones(FEATURES), "is for transform='centered_l2' alone"),
        ("centered_l2", np.ones(5), r"6 finite numbers.*\(5,\)"),
        ("centered_l2", np.full(FEATURES, np.nan), "6 of them not finite"),
    ],
)
def test_a_mean_that_cannot_be_is_refused(transform, mean, words):
    with pytest.raises(ValueError, match=f"`base_mean`.*{words}"):
        make_learner(transform=transform, base_mean=mean)


def test_base_examples_that_cannot_be_are_refused():
    learner = make_learner(transform="centered_l2")
    endless = tf.data.Dataset.from_tensors(np.ones((2, 4), "float32")).repeat()
    for base, words in (
        (np.ones((3, 5)), r"embeddings \(examples, 6\).*\(3, 5\)"),
        (np.ones((0, FEATURES)), "at least one example.*none"),
        (endless, "end, with every"),
    ):
        with pytest.raises(ValueError, match=f"`base` must.*{words}"):
            learner.fit_base_mean(base)


@pytest.mark.parametrize("arguments", [{"transform": "L2"}, {"prior_shots": 0}])
def test_arguments_that_cannot_be_are_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        make_learner(**arguments)


# Priors: what is known of a class before its shots.


@BOTH
def test_a_prior_is_as_many_equal_shots(cls):
    """Two shots of weight are two rows, whatever the head."""
    learner = make_learner(cls, prior_shots=2.0)
    support, labels, query = make_task()
    prior = np.random.default_rng(5).normal(size=(1, 3, 4)).astype("float32")
    rows = np.concatenate([support, prior, prior], axis=1)
    of_rows = np.concatenate([labels, *2 * [np.eye(3, dtype="float32")[None]]], axis=1)
    np.testing.assert_allclose(
        logits_of(learner, support, labels, query, prior=prior),
        logits_of(learner, rows, of_rows, query),
        rtol=2e-4,
        atol=1e-5,
    )


@BOTH
def test_a_prior_of_embeddings_is_one_of_examples(cls):
    learner = make_learner(cls, prior_shots=0.5)
    support, labels, query = make_task()
    prior = np.random.default_rng(5).normal(size=(1, 3, 4)).astype("float32")
    state = learner.adapt_embeddings(
        learner.embed(support), labels, prior=learner.embed(prior)
    )
    np.testing.assert_allclose(
        learner.compare_embeddings(state, learner.embed(query)),
        logits_of(learner, support, labels, query, prior=prior),
        rtol=1e-5,
        atol=1e-6,
    )


@BOTH
def test_padded_priors_and_shots_are_as_if_they_were_not_there(cls):
    learner = make_learner(cls, dtype="float64", prior_shots=0.5)
    support, labels, query = make_task()
    prior = np.random.default_rng(5).normal(size=(1, 3, 4)).astype("float32")
    real = np.array([[True, False, True, True, False, True]])
    # The second class has neither a shot nor a prior.
    real[labels[..., 1] > 0] = False
    has_prior = np.array([[True, False, True]])
    found = logits_of(
        learner,
        support,
        labels,
        query,
        support_mask=real,
        prior=prior,
        prior_mask=has_prior,
    )
    rows = np.concatenate([support[real], prior[has_prior]])[None]
    of_rows = np.concatenate([labels[real], 0.5 * np.eye(3)[has_prior[0]]])[None]
    expected = logits_of(learner, rows, of_rows, query)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    assert np.isneginf(found[..., 1]).all() and np.isfinite(found[..., [0, 2]]).all()


@BOTH
def test_a_class_without_shots_is_its_prior(cls):
    learner = make_learner(cls, prior_shots=0.25)
    prior = np.random.default_rng(5).normal(size=(1, 3, 4)).astype("float32")
    nothing = np.zeros((1, 0, 4), "float32"), np.zeros((1, 0, 3), "float32")
    logits = logits_of(learner, *nothing, prior, prior=prior)
    np.testing.assert_array_equal(logits.argmax(-1), [[0, 1, 2]])
    if cls is SimpleShot:
        prototypes = learner.adapt(*nothing, prior=prior)["prototypes"]
        unit = embed(learner, prior[0])
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        np.testing.assert_allclose(prototypes[0], unit, rtol=1e-5)


def test_one_prior_for_each_way():
    support, labels, _ = make_task()
    with pytest.raises(ValueError, match=r"`prior` must have one row.*\(1, 2, 4\)"):
        make_learner().adapt(support, labels, prior=support[:, :2])


@BOTH_SAVED
def test_a_served_prior(cls, tmp_path):
    learner = make_learner(cls, prior_shots=0.5)
    support, labels, query = make_task()
    prior = np.random.default_rng(5).normal(size=(4, 4)).astype("float32")
    served = tf.saved_model.load(export.save(learner, tmp_path))
    classify = served.signatures["classify_with_prior"]
    for rows in (len(labels[0]), 2, 0):  # Not every class has shots.
        numbers = labels[0, :rows].argmax(-1).astype("int32")
        found = classify(
            support=support[0, :rows],
            support_labels=numbers,
            prior=prior,
            query=query[0],
        )["probabilities"]
        of_four = np.eye(4, dtype="float32")[numbers][None]
        logits = logits_of(
            learner, support[:, :rows], of_four, query, prior=prior[None]
        )
        np.testing.assert_allclose(found, tf.nn.softmax(logits[0]), rtol=1e-4)
    for numbers, text in (([4], "0 to ways - 1"), ([0, 1], "one label for each")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=text):
            classify(
                support=support[0, :1],
                support_labels=np.array(numbers, "int32"),
                prior=prior,
                query=query[0],
            )


def test_texts_have_the_names_of_their_classes_for_priors():
    texts = ["pay my bill", "play a song", "some rain today", "what rain"]
    encoder = tfmeta.encoders.TextEncoder(texts, seed=0)
    learner = SimpleShot(encoder)
    names = tf.constant([["bill", "song", "rain"]])
    support, labels = tf.constant([["today"]]), tf.one_hot([[2]], 3)
    query = tf.constant([["my bill", "a song", "what rain today"]])
    logits = logits_of(learner, support, labels, query, prior=names)
    np.testing.assert_array_equal(logits.argmax(-1), [[0, 1, 2]])


# At home in Keras and in an evaluation.


def test_nothing_to_train_is_said_in_one_line():
    learner = make_learner()
    learner.compile()
    episodes = Episodes(make_table(), ways=3, shots=2, queries=2)
    with pytest.raises(ValueError, match="`fit` needs.*a SimpleShot on the frozen"):
        learner.fit(episodes.as_dataset(steps=1), verbose=0)
    # What has no need of a step goes on.
    assert learner.evaluate(episodes.as_dataset(steps=1), verbose=0)[1] > 0


@BOTH
def test_fit_trains_an_encoder_through_the_head(cls):
    learner = make_learner(cls, trainable=True)
    learner.compile(keras.optimizers.Adam(0.02))
    episodes = Episodes(make_table(), ways=3, shots=2, queries=4, tasks=8)
    logs = learner.fit(
        episodes.as_dataset(), steps_per_epoch=8, epochs=3, verbose=0, shuffle=False
    ).history["loss"]
    assert logs[-1] < 0.95 * logs[0]


@BOTH_SAVED
def test_an_evaluation_on_embeddings_is_that_on_examples(cls):
    learner = make_learner(cls)
    episodes = Episodes(
        make_table("test", 1), ways=3, shots=(1, 3), queries=3, tasks=64
    )
    results = [
        evaluate(learner, episodes, num_episodes=640, seen_classes=[], encode_once=once)
        for once in (True, False)
    ]
    per_episode = [result.per_episode for result in results]
    np.testing.assert_allclose(*per_episode, atol=1e-6)
