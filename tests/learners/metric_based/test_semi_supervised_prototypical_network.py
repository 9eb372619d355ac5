"""Refined prototypes, derived once more in NumPy, and what they are worth."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import BY_NAME, checks

from tfmeta import export
from tfmeta.datasets import load
from tfmeta.datasets.registry import import_dataset
from tfmeta.encoders import TextEncoder
from tfmeta.episodes import Episodes
from tfmeta.learners import PrototypicalNetwork, SemiSupervisedPrototypicalNetwork

REFINEMENTS = ("soft_k_means", "soft_k_means_with_distractor", "masked_soft_k_means")
FORMS = list(itertools.product(REFINEMENTS, ("unlabelled", "queries")))


def make_learner(*arguments, **options):
    """A learner of vectors of three numbers whose embedding is the vector."""
    inputs = keras.Input((3,), dtype="float64")
    encoder = keras.Model(inputs, keras.layers.Identity(dtype="float64")(inputs))
    learner = SemiSupervisedPrototypicalNetwork(
        encoder, *arguments, dtype="float64", **options
    )
    rng = np.random.default_rng(0)
    learner.set_weights([rng.normal(size=w.shape) for w in learner.weights])
    return learner


def make_inputs(tasks=2, ways=4, seed=1):
    """Unequal shots; way 1 of task 0 and way 3 of both have none that is real."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, ways - 1, (tasks, 9))
    support_mask = rng.random(labels.shape) < 0.9
    support_mask[0] &= labels[0] != 1
    return {
        "support": 0.7 * rng.normal(size=(tasks, 9, 3)),
        "support_labels": np.eye(ways)[labels],
        "support_mask": support_mask,
        "query": 0.7 * rng.normal(size=(tasks, 5, 3)),
        "query_mask": rng.random((tasks, 5)) < 0.8,
        "unlabelled": 0.7 * rng.normal(size=(tasks, 6, 3)),
        "unlabelled_mask": rng.random((tasks, 6)) < 0.8,
    }


def logits_by_hand(learner, inputs, source, steps):
    """The update of the paper, class by class, with the memberships of the learner.

    Those are derived on their own in test_soft_k_means.py.
    """
    labels = inputs["support_labels"] * inputs["support_mask"][..., None]
    logits = np.full((*inputs["query"].shape[:2], labels.shape[-1]), -np.inf)
    for task, x in enumerate(inputs["support"]):
        further, real = inputs[source][task], inputs[f"{source}_mask"][task]
        counts = labels[task].sum(0)
        sums = [labels[task][:, c] @ x for c in range(len(counts))]
        prototypes = np.array(
            [s / n if n else 0 * s for s, n in zip(sums, counts, strict=True)]
        )
        for _ in range(steps):
            z = learner.k_means.memberships(
                *map(tf.constant, (prototypes[None], counts[None] > 0)),
                *map(tf.constant, (further[None], real[None])),
            ).numpy()[0]
            prototypes = np.array(
                [
                    (sums[c] + z[:, c] @ further) / (n + z[:, c].sum()) if n else x[0]
                    for c, n in enumerate(counts)
                ]
            )
        for c in np.flatnonzero(counts):
            gaps = inputs["query"][task] - prototypes[c]
            logits[task, :, c] = -np.sum(gaps**2, axis=-1)
    return logits


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("refinement", "source"), FORMS)
def test_logits(refinement, source, steps):
    learner = make_learner(refinement, steps, source)
    inputs = make_inputs()
    name = "query" if source == "queries" else source
    expected = logits_by_hand(learner, inputs, name, steps)
    real = inputs["query_mask"]
    for training in (False, True):
        logits = learner.episode_logits(inputs, training=training).numpy()
        np.testing.assert_allclose(logits[real], expected[real], rtol=1e-10)
    # What the episode leaves out, the two verbs leave out as well.
    options = {n: inputs[n] for n in ("unlabelled", "unlabelled_mask")}
    state = learner.adapt(
        inputs["support"],
        inputs["support_labels"],
        support_mask=inputs["support_mask"],
        **(options if source == "unlabelled" else {}),
    )
    logits = learner.predict_query(state, inputs["query"], query_mask=real).numpy()
    np.testing.assert_allclose(logits[real], expected[real], rtol=1e-10)
    # Embeddings in place of examples, as an evaluation has them.
    logits = learner.embedded_logits(inputs).numpy()
    np.testing.assert_allclose(logits[real], expected[real], rtol=1e-10)


@pytest.mark.parametrize("refinement", REFINEMENTS)
def test_without_unlabelled_examples_it_is_a_prototypical_network(refinement):
    learner, inputs = make_learner(refinement), make_inputs()
    plain = PrototypicalNetwork(learner.encoder, dtype="float64")
    expected = plain.episode_logits(inputs)
    none = {n: v for n, v in inputs.items() if not n.startswith("unlabelled")}
    np.testing.assert_array_equal(learner.episode_logits(none), expected)
    padding = {**inputs, "unlabelled_mask": np.zeros((2, 6), bool)}
    np.testing.assert_allclose(
        learner.episode_logits(padding), expected, rtol=1e-12, atol=1e-12
    )


def test_who_is_transductive():
    inductive, transductive = make_learner(), make_learner(unlabelled_from="queries")
    assert (inductive.transductive, inductive.uses_unlabelled) == (False, True)
    assert (transductive.transductive, transductive.uses_unlabelled) == (True, False)
    assert not SemiSupervisedPrototypicalNetwork.transductive
    inputs = make_inputs()
    with pytest.raises(ValueError, match="`unlabelled` must be None with.*queries"):
        transductive.adapt(
            inputs["support"],
            inputs["support_labels"],
            unlabelled=inputs["unlabelled"],
        )


def test_one_call_of_the_encoder_for_all():
    """Batch statistics are those of all real rows together."""
    inputs = keras.Input((3,))
    normalization = keras.layers.BatchNormalization(momentum=0.0)
    learner = SemiSupervisedPrototypicalNetwork(
        keras.Model(inputs, normalization(inputs))
    )
    episode = {n: np.asarray(v, "float32") for n, v in make_inputs().items()}
    masks = {n: v > 0 for n, v in episode.items() if n.endswith("mask")}
    learner.episode_logits({**episode, **masks}, training=True)
    real = [episode[n.removesuffix("_mask")][mask] for n, mask in masks.items()]
    mean = np.concatenate(real).mean(0)
    np.testing.assert_allclose(normalization.moving_mean, mean, rtol=1e-5, atol=1e-6)


def make_for_checks(refinement, source="unlabelled", steps=2):
    def make(example_shape, ways):
        layers = [keras.Input(example_shape), keras.layers.Flatten()]
        kernel = keras.initializers.GlorotUniform(seed=1)
        layers.append(keras.layers.Dense(4, "tanh", kernel_initializer=kernel))
        return SemiSupervisedPrototypicalNetwork(
            keras.Sequential(layers), refinement, steps, source
        )

    return make


# Those that see a difference between the forms.
TELLING = [
    *("check_transductive", "check_absent_ways", "check_padded_predictions"),
    *("check_use_of_unlabelled", "check_gradient"),
]
OTHERS = [name for name in BY_NAME if name not in TELLING]
# All checks are run on the first; with the others, on every refinement and source.
WHOLE, *COVERING = [
    ("masked_soft_k_means", "unlabelled"),
    ("soft_k_means", "queries"),
    ("soft_k_means_with_distractor", "unlabelled"),
]


@pytest.mark.parametrize("check", checks(of=TELLING))
@pytest.mark.parametrize(
    "form",
    [
        form if form == WHOLE else pytest.param(form, marks=pytest.mark.slow)
        for form in FORMS
    ],
    ids="-".join,
)
def test_keeps_the_habits_of_its_form(form, check):
    check(make_for_checks(*form))


# The others are of what is the base's, which every metric learner has.
@pytest.mark.slow
@pytest.mark.parametrize("check", checks(of=OTHERS))
def test_keeps_every_habit(check):
    check(make_for_checks(*WHOLE))


@pytest.mark.exhaustive
@pytest.mark.parametrize("check", checks(of=OTHERS))
@pytest.mark.parametrize("form", COVERING, ids="-".join)
def test_other_forms_keep_every_habit(form, check):
    check(make_for_checks(*form))


def test_exported_with_unlabelled_examples(tmp_path):
    learner = make_for_checks("soft_k_means")((3,), 4)
    inputs = {n: v.astype("float32") for n, v in make_inputs(tasks=1).items()}
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2], np.int32)
    saved = tf.saved_model.load(export.save(learner, tmp_path / "learner"))
    task = {
        "support": tf.constant(inputs["support"][0]),
        "support_labels": tf.constant(labels),
        "query": tf.constant(inputs["query"][0]),
    }
    for more in ({}, {"unlabelled": tf.constant(inputs["unlabelled"][0])}):
        name = "classify_with_unlabelled" if more else "classify"
        answer = saved.signatures[name](**task, **more)["probabilities"]
        state = learner.adapt(
            inputs["support"],
            np.eye(3, dtype="float32")[labels][None],
            **{n: v[None] for n, v in more.items()},
        )
        logits = learner.predict_query(state, inputs["query"])
        np.testing.assert_allclose(answer, tf.nn.softmax(logits[0]), atol=1e-6)


@pytest.fixture(scope="module")
def clinc150(reference_data, tmp_path_factory):
    """Real sentences, of a split that the encoder's words are not from."""
    folder = tmp_path_factory.mktemp("text")
    import_dataset("clinc150", reference_data / "text" / "clinc150", data_dir=folder)
    train, validation = (
        load("clinc150", split=split, data_dir=folder)
        for split in ("train", "validation")
    )
    return TextEncoder(train.examples, features=512, seed=0), validation


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refinement", "source", "distractors"),
    [
        ("soft_k_means", "unlabelled", 0),
        ("soft_k_means", "queries", 0),
        ("masked_soft_k_means", "unlabelled", 5),
    ],
)
def test_unlabelled_sentences_improve_prototypes(
    clinc150, refinement, source, distractors
):
    """Of an encoder that has learned nothing yet, by pairs of equal episodes."""
    encoder, table = clinc150
    episodes = Episodes(
        table, queries=10, tasks=50, unlabelled=10, distractors=distractors, seed=1
    )
    inputs, y = episodes.batch(0)
    refined = SemiSupervisedPrototypicalNetwork(
        encoder, refinement, unlabelled_from=source
    )
    plain, better = (
        np.mean(np.argmax(learner.episode_logits(inputs), -1) == y, axis=-1)
        for learner in (PrototypicalNetwork(encoder), refined)
    )
    gain = better - plain
    error = gain.std() / np.sqrt(len(gain))
    assert gain.mean() > 0.04 + 2 * error, (gain.mean(), error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("k_means",), "`refinement` must be one of soft_k_means,.*'k_means'"),
        (("soft_k_means", 0), "`steps` must be an int of at least 1.*steps=0"),
        (("soft_k_means", 1, "test"), "`unlabelled_from` must be one of.*'test'"),
    ],
)
def test_unknown_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_learner(*arguments)
