"""An encoder of short texts and of molecules written as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from tfmeta.layers import Sphere, TermCounts
from tfmeta.layers.term_counts import find_terms


def TextEncoder(
    texts: Sequence[str],
    *,
    features: int = 1024,
    max_terms: int = 4000,
    unknown_columns: int = 1024,
    words: bool = True,
    character_ngrams: tuple[int, int] | None = (2, 4),
    standardize: bool = True,
    forget: float = 0.3,
    radius: float = 3.0,
    seed: int | None = None,
    dtype: str | keras.DTypePolicy | None = None,
    name: str = "text_encoder",
) -> keras.Model:
    """Builds an encoder of raw strings that starts as TF-IDF and learns from there.

    The words of a text and the character n-grams of its words are counted and
    weighted by their inverse document frequency (Spärck Jones, 1972), and every
    term has a vector: the embedding is the sum of the vectors, scaled to one
    length. The vectors begin at random, and random vectors of many numbers are
    nearly at right angles, so that before any training the distance of two
    embeddings is nearly that of their TF-IDF vectors. Training then moves terms that
    mean the same towards each other and takes weight from those that mean nothing.

    New classes bring new words. They are not thrown together as unknown: each gets
    a column by its hash, and shares its n-grams with words that are known.

    It needs no pretrained vectors and knows no word order. Strings cannot be
    compiled by XLA: leave `jit_compile` off.

    Args:
        texts: Texts of the training classes, from which the terms are taken; those
            of validation and test classes would tell the encoder about them. None
            of them is needed afterwards: the terms are part of the model.
        features: Length of the embedding.
        max_terms: The most terms to know, the most frequent ones.
        unknown_columns: Number of vectors that all other terms share.
        words: Whether words are terms.
        character_ngrams: Shortest and longest n-gram, or `None` for none.
        standardize: Whether text is lowered, and whatever is neither letter nor
            digit separates words. Take False where every character counts, as in
            the SMILES string of a molecule, which then is one long word.
        forget: Share of the terms of a text that training leaves out at random.
        radius: Length of an embedding. The squared distance of two that share no
            term is about `2 * radius**2`.
        seed: Seed of the vectors and of what is forgotten. `None` for others at
            every call.
        dtype: Dtype or dtype policy of all layers, e.g. `"mixed_bfloat16"`; by
            default Keras' global policy.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from UTF-8 strings `(batch,)` to embeddings
        `(batch, features)` in the policy's compute dtype, float32 by default. An
        empty text has the embedding 0.

    Raises:
        ValueError: When there are no texts, or an argument is out of range.

    Example:

    ```python
    train = tfmeta.datasets.load("clinc150", split="train")
    encoder = tfmeta.encoders.TextEncoder(train.examples)
    encoder(tf.constant(["is my card blocked", ""])).shape  # (2, 1024)
    ```

    Reference:
        Karen Spärck Jones, 1972, A Statistical Interpretation of Term Specificity
        and its Application in Retrieval.
    """
    if isinstance(texts, str) or len(texts) == 0:
        raise ValueError(
            "`texts` must be the texts of the training classes, at least one. "
            f"Received: {'one str' if isinstance(texts, str) else 'none'}"
        )
    for argument, value in (("features", features), ("max_terms", max_terms)):
        if value < 1:
            raise ValueError(f"`{argument}` must be at least 1. Received: {value}")
    policy = keras.config.dtype_policy() if dtype is None else dtype
    policy = keras.dtype_policies.get(policy)
    vocabulary, weights = find_terms(
        texts,
        max_terms=max_terms,
        words=words,
        character_ngrams=character_ngrams,
        standardize=standardize,
    )
    inputs = keras.Input((), dtype="string", name="texts")
    x = TermCounts(
        vocabulary,
        weights,
        # As rare as can be: no training text holds it.
        unknown_weight=math.log(1 + len(texts)) + 1,
        unknown_columns=unknown_columns,
        words=words,
        character_ngrams=character_ngrams,
        standardize=standardize,
        dtype=policy,
        name="term_counts",
    )(inputs)
    if forget:
        x = keras.layers.Dropout(forget, seed=seed, dtype=policy, name="forgetting")(x)
    x = keras.layers.Dense(
        features,
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(
            stddev=1 / math.sqrt(features), seed=seed
        ),
        dtype=policy,
        name="term_vectors",
    )(x)
    outputs = Sphere(radius, dtype=policy, name="embedding")(x)
    return keras.Model(inputs, outputs, name=name)
