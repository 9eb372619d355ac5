"""Rules of byte pairs as arrays, and what is no such rule."""

import pytest

from tfmeta.layers.byte_pair_rules import KEY_BASE, make_rules

BYTES = {f"<0x{byte:02X}>": byte for byte in range(256)}
TOKENS = {**BYTES, "b": 256, "a": 257, "ba": 258, "bab": 259}


def test_arrays_are_sorted_and_say_what_was_given():
    rules = make_rules(TOKENS, [("b", "a"), ("ba", "b")])
    assert rules.num_tokens == 260
    assert rules.characters.tolist() == [ord("a"), ord("b")]
    assert rules.character_tokens.tolist() == [257, 256]
    assert rules.byte_tokens.tolist() == list(range(256))
    sides = {(ord("a"), ord("b")), (ord("b"), ord("a"))}
    assert {divmod(key, KEY_BASE) for key in rules.neighbours.tolist()} == sides
    assert [divmod(key, KEY_BASE) for key in rules.pairs.tolist()] == [
        (256, 257),
        (258, 256),
    ]
    assert rules.pair_ranks.tolist() == [0, 1]
    assert rules.pair_tokens.tolist() == [258, 259]


@pytest.mark.parametrize(
    ("vocabulary", "merges", "message"),
    [
        ({**TOKENS, "c": 259}, [], "`vocabulary` must number.*259|261 tokens, 260"),
        ({**TOKENS, "c": "260"}, [], "`vocabulary` must number"),
        ({**TOKENS, "c": True}, [], "`vocabulary` must number"),
        ({"a": 0, "b": 1}, [], "every byte.*<0x00>, <0x01>"),
        (TOKENS, [("a", "b")], r"`merges` must be pairs .*\('a', 'b'\)"),
        (TOKENS, [("b", "a", "b")], "`merges` must be pairs"),
        (TOKENS, [("b", "a"), ("b", "a")], "`merges` must differ"),
    ],
)
def test_what_is_no_rule_is_refused(vocabulary, merges, message):
    with pytest.raises(ValueError, match=message):
        make_rules(vocabulary, merges)
