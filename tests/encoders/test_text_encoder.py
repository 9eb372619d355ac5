"""The text encoder: TF-IDF at first, any string, saved and loaded."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.feature_extraction.text import TfidfVectorizer

from tfmeta.encoders import TextEncoder
from tfmeta.learners.encoder_check import check_encoder

SENTENCES = [
    "please block my card",
    "my card was stolen, block it",
    "what is the weather in Paris",
    "will it rain tomorrow in Rome",
    "set an alarm for seven",
    "wake me up at seven tomorrow",
]


def make(**options):
    return TextEncoder(
        SENTENCES, **{"features": 16, "unknown_columns": 32, "seed": 1, **options}
    )


def cosines(vectors):
    vectors = np.asarray(vectors, np.float64)
    vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors @ vectors.T


def test_untrained_it_is_tf_idf():
    lowered = [s.lower() for s in SENTENCES]
    encoder = TextEncoder(lowered, features=20_000, words=False, unknown_columns=1)
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), norm="l2")
    # What is neither letter nor digit separates words here.
    expected = theirs.fit_transform([s.replace(",", " ") for s in lowered])
    # Random directions are at right angles within 1 / sqrt(features) or so.
    np.testing.assert_allclose(
        cosines(encoder(tf.constant(lowered))),
        (expected @ expected.T).toarray(),
        atol=5 / np.sqrt(20_000),
    )


def test_shape_length_and_empty_text():
    encoder = make(radius=3.0)
    assert encoder.input_shape == (None,) and encoder.output_shape == (None, 16)
    assert encoder.inputs[0].dtype == "string"
    outputs = encoder(tf.constant([*SENTENCES, "", " ,! ", "Überraschung 九"])).numpy()
    lengths = np.linalg.norm(outputs, axis=-1)
    np.testing.assert_allclose(lengths[[*range(6), 8]], 3.0, rtol=1e-5)
    np.testing.assert_array_equal(outputs[6:8], 0.0)
    assert encoder(tf.constant([], tf.string)).shape == (0, 16)
    assert encoder.predict(np.array(SENTENCES, object), verbose=0).shape == (6, 16)


def test_unknown_words_are_not_all_one():
    encoder = make(features=512, unknown_columns=2048, character_ngrams=None)
    outputs = encoder(tf.constant(["zebra", "quagga", "zebra quagga"]))
    alike = cosines(outputs)
    assert abs(alike[0, 1]) < 0.25
    np.testing.assert_allclose(alike[2, :2], np.sqrt(0.5), atol=0.15)


def test_seed_fixes_the_vectors_and_what_is_forgotten():
    texts = tf.constant(SENTENCES)
    first, second, other = make(), make(), make(seed=2)
    np.testing.assert_array_equal(first(texts), second(texts))
    assert not np.allclose(first(texts), other(texts))
    np.testing.assert_array_equal(
        first(texts, training=True), second(texts, training=True)
    )
    assert not np.allclose(first(texts, training=True), first(texts))
    never = make(forget=0)
    np.testing.assert_array_equal(never(texts, training=True), never(texts))


@pytest.mark.slow
def test_fit_separates_what_it_is_told_to():
    encoder = make(forget=0)
    model = keras.Model(encoder.input, keras.layers.Dense(3)(encoder.output))
    model.compile(
        keras.optimizers.Adam(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    texts, labels = tf.constant(SENTENCES), tf.constant([0, 0, 1, 1, 2, 2])
    model.fit(texts, labels, epochs=20, verbose=0)
    assert model.evaluate(texts, labels, verbose=0)[1] == 1.0


@pytest.mark.parametrize("standardize", [True, False])
def test_saved_cloned_and_checked(tmp_path, standardize):
    encoder = make(standardize=standardize)
    check_encoder(encoder)
    texts = tf.constant([*SENTENCES, "", "Überraschung 九", "CC(=O)O"])
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(texts), encoder(texts))
    terms = [m.get_layer("term_counts").get_config() for m in (loaded, encoder)]
    assert terms[0] == terms[1]
    copy = keras.models.clone_model(encoder)
    copy.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(copy(texts), encoder(texts))


@pytest.mark.parametrize(
    ("dtype", "compute", "variables"),
    [
        ("float64", "float64", "float64"),
        ("mixed_bfloat16", "bfloat16", "float32"),
        ("mixed_float16", "float16", "float32"),
    ],
)
def test_dtype_policies(dtype, compute, variables):
    encoder = make(dtype=dtype, forget=0)
    assert {w.dtype for w in encoder.weights} == {variables}
    texts = tf.constant([*SENTENCES, ""])
    reference = make(forget=0)
    reference.set_weights(encoder.get_weights())
    for training in (False, True):
        with tf.GradientTape() as tape:
            outputs = encoder(texts, training=training)
            total = tf.reduce_sum(tf.cast(outputs[:, 0], tf.float32))
        gradients = tape.gradient(total, [w.value for w in encoder.trainable_weights])
        assert all(np.isfinite(g).all() for g in gradients)
        assert outputs.dtype == compute
        expected = reference(texts, training=training).numpy()
        error = np.abs(tf.cast(outputs, tf.float64) - expected).max()
        assert error < {"bfloat16": 0.05, "float16": 0.01}.get(compute, 1e-5)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "`texts` .* at least one. Received: none"),
        ("a text", {}, "`texts` .* Received: one str"),
        (["a"], {"features": 0}, "`features`.* 1. Received: 0"),
        (["a"], {"max_terms": 0}, "`max_terms`.* 1. Received: 0"),
        (["a"], {"radius": 0}, "`radius`"),
        (["a"], {"unknown_columns": 0}, "`unknown_columns`"),
        (["a"], {"words": False, "character_ngrams": None}, "no terms"),
    ],
)
def test_arguments(texts, options, message):
    with pytest.raises(ValueError, match=message):
        TextEncoder(texts, **options)
