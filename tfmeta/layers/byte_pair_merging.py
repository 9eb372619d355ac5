"""Byte-pair merges as operations of TensorFlow, for all words of a batch at once."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tfmeta.layers.byte_pair_rules import KEY_BASE

SPACE, SPACE_MARK = 0x20, 0x2581
# Merges within a stretch follow each other, so that the longest one sets the time.
# No ordinary word is half as long; "aaaa..." is.
LONGEST_STRETCH = 64


def tokenize(
    texts: tf.Tensor, rules: Mapping[str, tf.Tensor], num_tokens: int
) -> tf.RaggedTensor:
    """The tokens of texts.

    A merge joins two tokens only where some token has their characters side by side.
    So a text falls into stretches that no merge crosses, mostly its words, and each
    is merged by itself: the result is exact, and every different stretch of a batch
    is merged once, however often it occurs.

    Args:
        texts: Strings `(batch,)`, UTF-8.
        rules: The arrays of `BytePairRules`.
        num_tokens: Number of tokens.

    Returns:
        `(batch, tokens)`, int32.
    """
    # As SentencePiece has it: a space before the text, and a mark for each space.
    texts = tf.where(tf.equal(texts, ""), "", tf.strings.join([" ", texts]))
    characters = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    values = characters.values
    values = tf.where(tf.equal(values, SPACE), SPACE_MARK, values)
    starts = _stretch_starts(values, characters.value_rowids(), rules)
    stretches = tf.RaggedTensor.from_row_starts(values, starts, validate=False)
    different, which = tf.unique(tf.strings.unicode_encode(stretches, "UTF-8"))
    found = _tokens_of(different, rules, num_tokens)
    of_stretches = tf.gather(found, which)
    texts_of_stretches = tf.gather(characters.value_rowids(), starts)
    return tf.RaggedTensor.from_value_rowids(
        of_stretches, texts_of_stretches, nrows=characters.nrows(), validate=False
    ).merge_dims(1, 2)


def _stretch_starts(
    characters: tf.Tensor, texts: tf.Tensor, rules: Mapping[str, tf.Tensor]
) -> tf.Tensor:
    """Where the stretches that no merge crosses begin, int64."""
    codes = tf.cast(characters, tf.int64)
    _, known = _search(rules["neighbours"], codes[:-1] * KEY_BASE + codes[1:])
    going_on = tf.logical_and(known, tf.equal(texts[:-1], texts[1:]))
    # One more in front, none where there is no character.
    begins = tf.concat([tf.ones_like(codes[:1], tf.bool), ~going_on], axis=0)
    begins = begins[: tf.shape(codes)[0]]
    starts = tf.where(begins)[:, 0]
    places = tf.range(tf.size(codes, out_type=tf.int64))
    within = places - tf.gather(starts, tf.cumsum(tf.cast(begins, tf.int32)) - 1)
    return tf.where(tf.equal(within % LONGEST_STRETCH, 0))[:, 0]


def _tokens_of(
    stretches: tf.Tensor, rules: Mapping[str, tf.Tensor], num_tokens: int
) -> tf.RaggedTensor:
    """The tokens of each stretch."""
    characters = tf.strings.unicode_decode(stretches, "UTF-8")
    place, known = _search(rules["characters"], characters.values)
    # A character that is no token takes part as a number that no merge knows.
    tokens = tf.where(
        known,
        tf.gather(rules["character_tokens"], place),
        num_tokens + characters.values,
    )
    tokens, rows = _merge_all(
        tokens, characters.value_rowids(), characters.nrows(), rules
    )
    merged = tf.RaggedTensor.from_value_rowids(
        tokens, rows, nrows=characters.nrows(), validate=False
    )
    in_bytes = _bytes_for_unknown(tokens, rules["byte_tokens"], num_tokens)
    return merged.with_values(in_bytes).merge_dims(1, 2)


def _merge_all(
    tokens: tf.Tensor, rows: tf.Tensor, num_rows: tf.Tensor, rules: Mapping
) -> tuple[tf.Tensor, tf.Tensor]:
    """Merges in each row the pair of lowest rank, the left one of equals, to the end.

    Each turn is one merge in every row that has one. Rows that have none left go
    aside, so that a turn costs what is still to be done.
    """
    never = tf.constant(tf.int64.max, tf.int64)

    def one_merge(tokens, rows, done, done_rows, _):  # type: ignore[no-untyped-def]
        wide = tf.cast(tokens, tf.int64)
        place, known = _search(rules["pairs"], wide[:-1] * KEY_BASE + wide[1:])
        known = tf.logical_and(known, tf.equal(rows[:-1], rows[1:]))
        size = tf.size(wide, out_type=tf.int64)
        order = tf.gather(tf.cast(rules["pair_ranks"], tf.int64), place) * size
        order = tf.where(known, order + tf.range(tf.maximum(size - 1, 0)), never)
        first = tf.math.unsorted_segment_min(order, rows[:-1], num_rows)
        here = tf.logical_and(known, tf.equal(order, tf.gather(first, rows[:-1])))
        merged = tf.gather(rules["pair_tokens"], place)
        nothing = tf.zeros_like(tokens[:1], tf.bool)
        at_left = tf.concat([here, nothing], axis=0)[: tf.shape(tokens)[0]]
        merged = tf.concat([merged, tokens[-1:]], axis=0)[: tf.shape(tokens)[0]]
        tokens = tf.where(at_left, merged, tokens)
        at_right = tf.concat([nothing, here], axis=0)[: tf.shape(tokens)[0]]
        goes_on = tf.less(tf.gather(first, rows), never)
        stays = tf.logical_and(goes_on, tf.logical_not(at_right))
        ended = tf.logical_not(goes_on)
        done = tf.concat([done, tf.boolean_mask(tokens, ended)], axis=0)
        done_rows = tf.concat([done_rows, tf.boolean_mask(rows, ended)], axis=0)
        tokens, rows = tf.boolean_mask(tokens, stays), tf.boolean_mask(rows, stays)
        return tokens, rows, done, done_rows, tf.size(tokens)

    _, _, tokens, rows, _ = tf.while_loop(
        lambda tokens, rows, done, done_rows, left: left > 0,
        one_merge,
        (tokens, rows, tokens[:0], rows[:0], tf.size(tokens)),
        shape_invariants=(*[tf.TensorShape([None])] * 4, tf.TensorShape([])),
    )
    order = tf.argsort(rows, stable=True)
    return tf.gather(tokens, order), tf.gather(rows, order)


def _bytes_for_unknown(
    tokens: tf.Tensor, byte_tokens: tf.Tensor, num_tokens: int
) -> tf.RaggedTensor:
    """Each token as a row of one, or of the bytes of a character that is none."""
    code = tokens - num_tokens
    unknown = code >= 0
    tail = [0x80 | (tf.bitwise.right_shift(code, 6 * n) & 0x3F) for n in range(3)]
    lead = [
        code,
        0xC0 | tf.bitwise.right_shift(code, 6),
        0xE0 | tf.bitwise.right_shift(code, 12),
        0xF0 | tf.bitwise.right_shift(code, 18),
    ]
    length = sum(tf.cast(code >= n, tf.int32) for n in (0x80, 0x800, 0x10000))
    first = tf.gather(tf.stack(lead, 1), length, batch_dims=1)
    encoded = tf.stack([first, tail[2], tail[1], tail[0]], axis=1)
    # The last bytes of the row, as many as there are behind the first.
    column = tf.range(4)[tf.newaxis]
    there = tf.logical_or(column == 0, column >= 4 - length[:, tf.newaxis])
    in_bytes = tf.gather(byte_tokens, tf.where(unknown[:, None], encoded, 0))
    values = tf.where(unknown[:, None], in_bytes, tokens[:, None])
    there = tf.logical_and(there, tf.logical_or(unknown[:, None], column == 0))
    return tf.ragged.boolean_mask(values, there)


def _search(keys: tf.Tensor, wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where each number is among sorted keys, and whether it is there."""
    place = tf.searchsorted(keys, wanted)
    place = tf.minimum(place, tf.size(keys) - 1)
    return place, tf.equal(tf.gather(keys, place), wanted)
