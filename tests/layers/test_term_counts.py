"""Terms of a text against scikit-learn's and against plain Python."""

import collections
import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from tfmeta.layers import TermCounts
from tfmeta.layers.term_counts import find_terms, split_terms

TEXTS = [
    "What's my card's limit, please?",
    "block my  card",
    "",
    "Größe ändern: Straße 7",
    "a a a b",
    "мой баланс",
]


def plain_terms(text, *, words, ngrams, standardize):
    """Terms by the definition in the docstring, without TensorFlow."""
    if standardize:
        text = re.sub(r"[\W_]+", " ", text.lower())
    terms = []
    for word in text.split():
        if words:
            terms.append("\t" + word)
        if ngrams:
            padded = f" {word} "
            terms += [
                padded[i : i + n]
                for n in range(ngrams[0], ngrams[1] + 1)
                for i in range(len(padded) - n + 1)
            ]
    return collections.Counter(terms)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(
        st.text(st.sampled_from("abcÄß九 .,'7\n\t_-="), max_size=12),
        min_size=1,
        max_size=4,
    ),
    words=st.booleans(),
    ngrams=st.sampled_from([(1, 1), (2, 4), (3, 3), (1, 6)]),
    standardize=st.booleans(),
)
@example(texts=[""], words=True, ngrams=(2, 4), standardize=True)
def test_terms_are_those_of_the_definition(texts, words, ngrams, standardize):
    options = {"words": words, "standardize": standardize}
    terms = split_terms(tf.constant(texts), character_ngrams=ngrams, **options)
    found = [collections.Counter(t.decode() for t in row) for row in terms.to_list()]
    assert found == [plain_terms(text, ngrams=ngrams, **options) for text in texts]


def test_ngrams_are_scikit_learns():
    analyze = CountVectorizer(analyzer="char_wb", ngram_range=(2, 4)).build_analyzer()
    lowered = [text.lower() for text in TEXTS]
    terms = split_terms(
        tf.constant(lowered), words=False, character_ngrams=(2, 4), standardize=False
    )
    for text, found in zip(lowered, terms.to_list(), strict=True):
        expected = collections.Counter(analyze(text))
        assert collections.Counter(t.decode() for t in found) == expected


def test_rarities_and_counts_are_scikit_learns():
    words = {"words": True, "character_ngrams": None}
    vocabulary, weights = find_terms(TEXTS, max_terms=100, **words)
    theirs = TfidfVectorizer(token_pattern=r"[^\W_]+", norm=None)
    expected = theirs.fit_transform(TEXTS).toarray()
    order = [theirs.vocabulary_[term.removeprefix("\t")] for term in vocabulary]
    layer = TermCounts(vocabulary, weights, **words)
    outputs = layer(tf.constant(TEXTS))
    np.testing.assert_allclose(outputs[:, :-1], expected[:, order], rtol=1e-5)
    np.testing.assert_array_equal(outputs[:, -1], 0.0)


def test_most_frequent_terms_first_and_always_the_same():
    texts = ["b a", "a c", "c a b", "d"]
    words = {"words": True, "character_ngrams": None}
    terms, weights = find_terms(texts, max_terms=3, **words)
    assert terms == ["\ta", "\tb", "\tc"]
    expected = [math.log(5 / 4) + 1, math.log(5 / 3) + 1, math.log(5 / 3) + 1]
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    assert find_terms(texts * 700, max_terms=3, **words)[0] == terms
    assert find_terms(["a cat", "a dog"], max_terms=1) == (["\ta"], [1.0])


def test_unknown_terms_keep_apart():
    layer = TermCounts(
        ["\tyes"],
        [2.0],
        unknown_weight=3.0,
        unknown_columns=1000,
        character_ngrams=None,
    )
    outputs = layer(tf.constant(["Yes, yes!", "uno", "dos", "uno dos uno", ""])).numpy()
    assert outputs.shape == (5, 1001)
    np.testing.assert_array_equal(outputs[:, 0], [4.0, 0.0, 0.0, 0.0, 0.0])
    uno, dos = outputs[1, 1:], outputs[2, 1:]
    assert uno.sum() == dos.sum() == 3.0 and not (uno * dos).any()
    np.testing.assert_array_equal(outputs[3, 1:], 2 * uno + dos)
    np.testing.assert_array_equal(outputs[4], 0.0)


def test_in_a_graph_without_known_sizes():
    layer = TermCounts(["\ta"], [1.0], unknown_columns=4)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None], tf.string)])
    for texts in (TEXTS, TEXTS[:1], []):
        texts = tf.constant(texts, tf.string)
        np.testing.assert_array_equal(graph(texts), layer(texts))
    assert graph(tf.constant([], tf.string)).shape == (0, 5)


def test_bytes_that_are_no_text_do_not_stop_it():
    layer = TermCounts(["\ta"], [1.0], unknown_columns=8)
    outputs = layer(tf.constant([b"\xff\xfe a \x00", b"a"]))
    assert np.isfinite(outputs).all() and outputs[0, 0] == outputs[1, 0] == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
def test_config_and_dtype(dtype):
    layer = TermCounts(
        ["\tя", " ö"],
        [1.5, 2.0],
        unknown_weight=2.5,
        unknown_columns=7,
        character_ngrams=[2, 3],
        standardize=False,
        dtype=dtype,
    )
    config = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == layer.get_config()
    texts = tf.constant(TEXTS)
    np.testing.assert_array_equal(copy(texts), layer(texts))
    # Weighted counts would be rounded twice in half precision.
    assert layer(texts).dtype == ("float64" if dtype == "float64" else "float32")
    symbolic = layer(keras.Input((), dtype="string"))
    assert symbolic.shape == (None, 9) and symbolic.dtype == layer.variable_dtype


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"character_ngrams": (0, 2)}, r"`character_ngrams`.*\(0, 2\)"),
        ({"character_ngrams": (3, 2)}, r"`character_ngrams`.*\(3, 2\)"),
        ({"character_ngrams": (3,)}, r"`character_ngrams`.*\(3,\)"),
        ({"words": False, "character_ngrams": None}, "there are no terms"),
        ({"unknown_columns": 0}, "`unknown_columns`.*=0"),
        ({"weights": [1.0, 2.0]}, "`weights` .* of `vocabulary`, 1. Received: 2"),
    ],
)
def test_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        TermCounts(**{"vocabulary": ["\ta"], "weights": [1.0], **options})
