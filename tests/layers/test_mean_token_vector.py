"""Tokens against plain Python, means against NumPy, and texts of every kind."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta import export
from tfmeta.layers import MeanTokenVector
from tfmeta.layers.byte_pair_rules import make_rules
from tfmeta.layers.mean_token_vector import sizes_of
from tfmeta.learners import PrototypicalNetwork

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def tokens_by_hand(text, vocabulary, merges):
    """Tokens of a text by the definition: one merge after the other, all at once."""
    if not text:
        return []
    rank = {pair: place for place, pair in enumerate(merges)}
    parts = list("▁" + text.replace(" ", "▁"))
    while True:
        pairs = zip(parts, parts[1:], strict=False)
        ranks = [rank.get(pair, len(rank)) for pair in pairs]
        if not ranks or min(ranks) == len(rank):
            break
        at = ranks.index(min(ranks))
        parts[at : at + 2] = ["".join(parts[at : at + 2])]
    tokens = []
    for part in parts:
        known = part in vocabulary
        names = [part] if known else [f"<0x{byte:02X}>" for byte in part.encode()]
        tokens += [vocabulary[name] for name in names]
    return tokens


def made_up(seed, characters="ab▁é", num_merges=40):
    """A vocabulary, and merges in an order that no training would give."""
    rng = np.random.default_rng(seed)
    tokens, merges = list(characters), set()
    for _ in range(num_merges):
        first, second = (tokens[i] for i in rng.integers(len(tokens), size=2))
        merges.add((first, second))
        if first + second not in tokens:
            tokens.append(first + second)
    names = [*BYTES, *tokens]
    numbers = rng.permutation(len(names)).tolist()
    shuffled = rng.permutation(sorted(merges)).tolist()
    return dict(zip(names, numbers, strict=True)), [tuple(pair) for pair in shuffled]


def layer_of(vocabulary, merges, features=3):
    rules = make_rules(vocabulary, merges)
    layer = MeanTokenVector(features, sizes_of(rules))
    vectors = np.random.default_rng(0).normal(size=(rules.num_tokens, features))
    layer.set_rules(rules, vectors)
    return layer


@settings(max_examples=25)
@given(
    st.integers(0, 2**32),
    st.lists(st.text(alphabet="ab é\x00ß日😀▁\n", max_size=50), max_size=6),
)
def test_tokens_are_those_of_the_definition(seed, texts):
    vocabulary, merges = made_up(seed)
    layer = layer_of(vocabulary, merges)
    found = layer.tokenize(tf.constant(texts, tf.string, [len(texts)])).to_list()
    assert found == [tokens_by_hand(text, vocabulary, merges) for text in texts]


@pytest.fixture(scope="module")
def rules():
    return made_up(7)


@pytest.fixture(scope="module")
def layer(rules):
    return layer_of(*rules)


TEXTS = ["abba baab", "", " ", "é a  b", "x\x00y", "日本 😀", "ab" * 30]


def test_means_of_vectors(rules, layer):
    vectors = layer.vectors.numpy()
    expected = [
        vectors[tokens].mean(axis=0) if (tokens := tokens_by_hand(text, *rules)) else 0
        for text in TEXTS
    ]
    means = layer(tf.constant(TEXTS))
    for row, wanted in zip(means.numpy(), expected, strict=True):
        np.testing.assert_allclose(row, np.broadcast_to(wanted, 3), atol=1e-6)
    assert means.dtype == tf.float32
    assert not means.numpy()[1].any() and means.numpy()[2].any()
    assert layer(tf.zeros([0], tf.string)).shape == (0, 3)


def test_what_is_no_utf8_counts_as_a_replacement(layer):
    broken = layer.tokenize(tf.constant([b"a\xff b", b"a\xe2\x82", b"\xed\xa0\x80"]))
    whole = layer.tokenize(tf.constant(["a\ufffd b"]))
    assert broken[0].numpy().tolist() == whole[0].numpy().tolist()
    assert np.isfinite(layer(tf.constant([b"\xff\xfe\x00\x80" * 9])).numpy()).all()


def test_long_texts():
    names = [*BYTES, "▁", "a", "b", "aa", "aaa"]
    vocabulary = {name: number for number, name in enumerate(names)}
    layer = layer_of(vocabulary, [("aa", "a"), ("a", "a")])
    mark, a, b, _, aaa = range(256, 261)
    # Two times 64 that merges could join: 128 would end in `aa`.
    found = layer.tokenize(tf.constant(["a" * 128])).to_list()
    assert found == [[mark, *([aaa] * 21 + [a]) * 2]]
    found = layer.tokenize(tf.constant(["aaab" * 10_000])).to_list()
    assert found == [[mark, *[aaa, b] * 10_000]]
    random = np.random.default_rng(0).bytes(200_000)
    assert np.isfinite(layer(tf.constant([random, b"a" * 10**6])).numpy()).all()


def encoder_of(layer):
    texts = keras.Input((), dtype="string")
    return keras.Model(texts, layer(texts))


def test_a_file_holds_rules_and_vectors(layer, tmp_path):
    encoder = encoder_of(layer)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(tf.constant(TEXTS)), layer(tf.constant(TEXTS)))
    clone = keras.models.clone_model(encoder)
    clone.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(clone(tf.constant(TEXTS)), layer(tf.constant(TEXTS)))


@pytest.mark.slow
def test_a_saved_model_answers_strings(layer, tmp_path):
    learner = PrototypicalNetwork(encoder_of(layer))
    folder = export.save(learner, tmp_path / "served")
    embed = tf.saved_model.load(folder).signatures["embed"]
    found = embed(examples=tf.constant(TEXTS))["embeddings"]
    np.testing.assert_allclose(found, layer(tf.constant(TEXTS)), atol=1e-6)


def test_vectors_alone_are_trained(rules):
    layer = layer_of(*rules)
    assert [w.path.rpartition("/")[2] for w in layer.trainable_weights] == ["vectors"]
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(tf.constant(["ab"])))
    gradient = tf.convert_to_tensor(tape.gradient(total, layer.vectors.value))
    tokens = tokens_by_hand("ab", *rules)
    expected = np.zeros(layer.vectors.shape)
    for token in tokens:
        expected[token] += 1 / len(tokens)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_arguments():
    sizes = {"tokens": 5, "characters": 1, "neighbours": 1, "pairs": 1}
    for features, wrong in (
        (0, sizes),
        (3, {**sizes, "pairs": 0}),
        (3, {"tokens": 5}),
        (3, {}),
    ):
        with pytest.raises(ValueError, match="`features` and `sizes` must be at least"):
            MeanTokenVector(features, wrong)
