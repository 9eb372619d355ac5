"""Words and pieces of words in a text, counted and weighted by their rarity."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_TEXTS_AT_ONCE = 1024
# Marks a term that is a whole word. No term holds white space of another kind than
# the space around a word.
_WORD = "\t"


@keras.saving.register_keras_serializable(package="tfmeta")
class TermCounts(keras.layers.Layer):
    r"""How often each term occurs in a text, times how rare the term is.

    The terms of a text are its words and the character n-grams of its words, each
    word between two spaces. The terms of `vocabulary` have a column of their own.
    All others share `unknown_columns` further ones by a hash, so that words that
    nobody knew when the vocabulary was made still count as what they are. In
    contrast, `keras.layers.TextVectorization` makes one token of all of them.

    Args:
        vocabulary: The terms with a column of their own; see `find_terms`.
        weights: What the count of each of them is multiplied by.
        unknown_weight: What the counts of all other terms are multiplied by.
        unknown_columns: Number of columns that other terms share, at least 1.
        words: Whether words are terms.
        character_ngrams: Shortest and longest n-gram, or `None` for none.
        standardize: Whether text is lowered first, and whatever is neither letter
            nor digit separates words. Without, only white space does.

    Raises:
        ValueError: When there are no terms at all, or an argument is out of range.

    Call arguments:
        inputs: String tensor `(batch,)`, UTF-8.

    Returns:
        `(batch, len(vocabulary) + unknown_columns)`, in the dtype of the policy's
        variables; a row of an empty text is 0.

    Example:

    ```python
    layer = TermCounts(["\tyes"], [2.0], words=True, character_ngrams=None)
    layer(tf.constant(["Yes, yes!"]))[0, 0]  # 4.0
    ```
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        weights: Sequence[float],
        *,
        unknown_weight: float = 1.0,
        unknown_columns: int = 1,
        words: bool = True,
        character_ngrams: Sequence[int] | None = (2, 4),
        standardize: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        ngrams = _checked_ngrams(words, character_ngrams)
        if unknown_columns < 1:
            raise ValueError(
                "`unknown_columns` must be at least 1. Received: "
                f"unknown_columns={unknown_columns}"
            )
        if len(weights) != len(vocabulary):
            raise ValueError(
                "`weights` must have one entry for each term of `vocabulary`, "
                f"{len(vocabulary)}. Received: {len(weights)}"
            )
        self.vocabulary = [str(term) for term in vocabulary]
        self.weights_of_terms = [float(weight) for weight in weights]
        self.unknown_weight = float(unknown_weight)
        self.unknown_columns = int(unknown_columns)
        self.words = bool(words)
        self.character_ngrams = ngrams
        self.standardize = bool(standardize)
        self.supports_jit = False  # XLA knows no strings.
        # Nothing but strings comes in, and there is nothing to cast.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self._column_weights = np.array(
            [
                *self.weights_of_terms,
                *[self.unknown_weight] * self.unknown_columns,
            ]
        )
        with tf.init_scope(), tf.device("CPU"):
            known = tf.constant(self.vocabulary, tf.string, [len(self.vocabulary)])
            hashes = _hash(known).numpy()
        self._order = np.argsort(hashes)
        self._sorted_hashes = hashes[self._order]
        self.built = True

    def call(self, inputs: Any) -> tf.Tensor:
        """Weighted counts `(batch, columns)`."""
        terms = split_terms(
            tf.convert_to_tensor(inputs, tf.string),
            words=self.words,
            character_ngrams=self.character_ngrams,
            standardize=self.standardize,
        )
        columns = len(self._column_weights)
        cells = terms.value_rowids() * columns + self._columns_of(terms.values)
        counts = tf.math.unsorted_segment_sum(
            tf.ones_like(cells, self.variable_dtype), cells, terms.nrows() * columns
        )
        counts = tf.reshape(counts, [-1, columns])
        return counts * tf.constant(self._column_weights, self.variable_dtype)

    def _columns_of(self, terms: tf.Tensor) -> tf.Tensor:
        """The column of each term, int64."""
        # By their hashes of 63 bits rather than by a lookup table: a table is a
        # resource that every export would have to be told of.
        hashes = _hash(terms)
        unknown = len(self.vocabulary) + hashes % self.unknown_columns
        if not self.vocabulary:
            return unknown
        place = tf.searchsorted(self._sorted_hashes, hashes, out_type=tf.int64)
        place = tf.minimum(place, len(self.vocabulary) - 1)
        known = tf.gather(self._sorted_hashes, place) == hashes
        return tf.where(known, tf.gather(self._order, place), unknown)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Shape and dtype of the output."""
        shape = (inputs.shape[0], len(self._column_weights))
        return keras.KerasTensor(shape, self.variable_dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary,
            "weights": self.weights_of_terms,
            "unknown_weight": self.unknown_weight,
            "unknown_columns": self.unknown_columns,
            "words": self.words,
            "character_ngrams": None
            if self.character_ngrams is None
            else list(self.character_ngrams),
            "standardize": self.standardize,
        }


def split_terms(
    texts: tf.Tensor,
    *,
    words: bool,
    character_ngrams: Sequence[int] | None,
    standardize: bool,
) -> tf.RaggedTensor:
    """The terms of each text.

    Args:
        texts: String tensor `(batch,)`.
        words: As of `TermCounts`.
        character_ngrams: As of `TermCounts`.
        standardize: As of `TermCounts`.

    Returns:
        Strings `(batch, terms)`: words, each behind a tab, then n-grams.
    """
    if standardize:
        texts = tf.strings.lower(texts, encoding="utf-8")
        texts = tf.strings.regex_replace(texts, r"[^\pL\pM\pN]+", " ")
    tokens = tf.strings.split(texts)
    terms = []
    if words:
        terms.append(tf.ragged.map_flat_values(lambda w: _WORD + w, tokens))
    if character_ngrams is not None:
        shortest, longest = character_ngrams
        padded = tf.ragged.map_flat_values(lambda w: " " + w + " ", tokens)
        characters = tf.strings.unicode_split(padded, "UTF-8")
        ngrams = tf.strings.ngrams(
            characters, tuple(range(shortest, longest + 1)), separator=""
        )
        terms.append(ngrams.merge_dims(1, 2))
    return tf.concat(terms, axis=1)


def find_terms(
    texts: Sequence[str],
    *,
    max_terms: int,
    words: bool = True,
    character_ngrams: Sequence[int] | None = (2, 4),
    standardize: bool = True,
) -> tuple[list[str], list[float]]:
    r"""The terms that most texts hold, and how rare each is.

    Args:
        texts: Texts of the training classes. Those of other classes would tell the
            encoder about them.
        max_terms: The most terms to find.
        words: As of `TermCounts`.
        character_ngrams: As of `TermCounts`.
        standardize: As of `TermCounts`.

    Raises:
        ValueError: When there are no terms at all, or n-grams of no length.

    Returns:
        The terms, the most frequent first, those of one frequency in the order of
        their letters, and the inverse document frequency `log((1 + n) / (1 + d)) +
        1` of each, for `n` texts of which `d` hold the term.

    Example:

    ```python
    find_terms(["a cat", "a dog"], max_terms=1)  # (['\ta'], [1.0])
    ```
    """
    ngrams = _checked_ngrams(words, character_ngrams)
    found: collections.Counter[bytes] = collections.Counter()
    with tf.device("CPU"):
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            some = [str(text) for text in texts[start : start + _TEXTS_AT_ONCE]]
            terms = split_terms(
                tf.constant(some, tf.string),
                words=words,
                character_ngrams=ngrams,
                standardize=standardize,
            )
            for of_text in terms.to_list():
                found.update(set(of_text))
    ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:max_terms]
    counts = np.array([count for _, count in ranked], np.float64)
    rarity = np.log((1 + len(texts)) / (1 + counts)) + 1
    names = [term.decode("utf-8", "replace") for term, _ in ranked]
    return names, [round(float(weight), 6) for weight in rarity]


def _checked_ngrams(
    words: bool, character_ngrams: Sequence[int] | None
) -> tuple[int, int] | None:
    if character_ngrams is None:
        if words:
            return None
        raise ValueError(
            "`words` or `character_ngrams` must be given, or there are no terms. "
            "Received: words=False, character_ngrams=None"
        )
    ngrams = tuple(int(n) for n in character_ngrams)
    if len(ngrams) != 2 or not 1 <= ngrams[0] <= ngrams[1]:
        raise ValueError(
            "`character_ngrams` must be None or the length of the shortest and of the "
            f"longest n-gram, from 1. Received: character_ngrams={ngrams}"
        )
    return ngrams[0], ngrams[1]


def _hash(terms: tf.Tensor) -> tf.Tensor:
    """Int64 from 0; the same in every process and version of TensorFlow."""
    return tf.strings.to_hash_bucket_fast(terms, 2**63 - 1)
