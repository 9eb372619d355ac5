import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.encoders import TextTransformer

TEXTS = ["the cat sat on the mat", "A dog ate my homework!", "the dog sat on a cat"]
QUERIES = tf.constant(["the cat sat", "sat cat the", "zebra the", "", "a " * 20])


def small(**changes):
    given = {"length": 6, "features": 8, "heads": 2, "seed": 0}
    return TextTransformer(TEXTS, **{**given, **changes})


def test_without_blocks_it_is_the_mean_of_token_and_position_vectors():
    encoder = small(blocks=0)
    layer = encoder.get_layer("tokens")
    tokens = [layer.get_vocabulary().index(w) for w in ("the", "cat", "sat")]
    vectors = encoder.get_layer("token_vectors").get_weights()[0]
    places = encoder.get_layer("position_vectors").get_weights()[0]
    expected = (vectors[tokens] + places[:3]).mean(axis=0)
    found = encoder(tf.constant(["The cat -- sat!"]))
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_padding_has_no_say():
    encoder = small()
    before = encoder(QUERIES).numpy()
    layer = encoder.get_layer("token_vectors")
    changed = layer.get_weights()[0]
    changed[0] += 5.0
    layer.set_weights([changed])
    np.testing.assert_allclose(encoder(QUERIES), before, atol=1e-6)


def test_order_matters_and_an_empty_text_is_0():
    embeddings = small()(QUERIES).numpy()
    assert np.abs(embeddings[0] - embeddings[1]).max() > 1e-3
    np.testing.assert_array_equal(embeddings[3], 0)
    assert np.isfinite(embeddings).all()


def test_characters_in_capitals_are_tokens_of_molecules():
    encoder = TextTransformer(
        ["CCO", "c1ccccc1"], split="character", standardize=False, length=9, features=4
    )
    assert set(encoder.get_layer("tokens").get_vocabulary()[2:]) == set("CcO1")
    ring, chain = encoder(tf.constant(["cccc", "CCCC"])).numpy()
    assert np.abs(ring - chain).max() > 1e-3


def test_the_seed_decides_the_weights():
    first, again, other = (small(seed=s).get_weights() for s in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(first, other, strict=True))


def test_round_trip(tmp_path):
    encoder = small()
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(QUERIES), encoder(QUERIES))


def test_mixed_precision():
    assert small(dtype="mixed_bfloat16")(QUERIES).dtype == tf.bfloat16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"texts": []}, "`texts`.*none"),
        ({"texts": "one text"}, "`texts`.*one str"),
        ({"split": "word"}, "`split`.*'word'"),
        ({"max_tokens": 2}, "`max_tokens`.*2"),
        ({"length": 0}, "`length`.*0"),
        ({"blocks": -1}, "`blocks`.*-1"),
        ({"heads": 3}, "`heads` must divide.*heads=3, features=128"),
    ],
)
def test_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        TextTransformer(**{"texts": TEXTS, **changes})
