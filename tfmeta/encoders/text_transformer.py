"""A small transformer over the words or the characters of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np

from tfmeta.seeds import spawn_seeds


def TextTransformer(
    texts: Sequence[str],
    *,
    split: Literal["whitespace", "character"] = "whitespace",
    standardize: bool = True,
    max_tokens: int = 8000,
    length: int = 32,
    features: int = 128,
    heads: int = 4,
    blocks: int = 2,
    dropout: float = 0.1,
    seed: int | None = None,
    dtype: str | keras.DTypePolicy | None = None,
    name: str = "text_transformer",
) -> keras.Model:
    """Builds an encoder of raw strings that sees their order.

    `keras.layers.TextVectorization` cuts a text into tokens, each has a learned
    vector, to which that of its position is added; blocks of self-attention
    (pre-normalized, Vaswani et al., 2017) follow, and the embedding is the mean
    over the tokens. All unknown tokens share one vector: where test classes bring
    words of their own, `TextEncoder` is the better choice.

    Args:
        texts: Texts of the training classes, from which the tokens are taken.
        split: Whether a token is what stands between white space, or a character,
            as it should be for the SMILES string of a molecule.
        standardize: Whether text is lowered and punctuation left out first.
        max_tokens: The most tokens to know, padding and unknown included.
        length: Tokens of a text that are looked at; the rest is cut off.
        features: Length of the embedding and of all vectors inside.
        heads: Heads of each attention; they divide `features`.
        blocks: Number of blocks; with 0 the embedding is a mean of vectors.
        dropout: Share of values dropped in training.
        seed: Seed of the weights and of dropout; `None` for others at every call.
        dtype: Dtype or dtype policy of all layers; by default Keras' global one.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from UTF-8 strings `(batch,)` to embeddings
        `(batch, features)` in the policy's compute dtype. A text without tokens
        has the embedding 0.

    Raises:
        ValueError: When there are no texts, or an argument is out of range.

    Example:

    ```python
    train = tfmeta.datasets.load("tox21", split="train")
    encoder = TextTransformer(
        train.examples, split="character", standardize=False, length=120
    )
    encoder(tf.constant(["CCO", "c1ccccc1"])).shape  # (2, 128)
    ```

    Reference: A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. N.
    Gomez, L. Kaiser and I. Polosukhin (2017), *Attention Is All You Need*, NeurIPS.
    """
    _check(texts, split, max_tokens, length, features, heads, blocks)
    policy = keras.config.dtype_policy() if dtype is None else dtype
    policy = keras.dtype_policies.get(policy)
    seeds = iter(spawn_seeds(seed, 2 + 6 * blocks))

    def embedding(rows: int, name: str) -> keras.layers.Layer:
        start = keras.initializers.RandomNormal(0.05, seed=next(seeds))
        return keras.layers.Embedding(rows, features, start, dtype=policy, name=name)

    def dense(units: int, activation: str | None, name: str) -> keras.layers.Layer:
        start = keras.initializers.GlorotUniform(next(seeds))
        return keras.layers.Dense(
            units, activation, kernel_initializer=start, dtype=policy, name=name
        )

    vocabulary = _vocabulary(texts, split, standardize, max_tokens)
    inputs = keras.Input((), dtype="string", name="texts")
    tokens = keras.layers.TextVectorization(
        standardize="lower_and_strip_punctuation" if standardize else None,
        split=split,
        output_sequence_length=length,
        vocabulary=vocabulary,
        name="tokens",
    )(inputs)
    real = keras.ops.not_equal(tokens, 0)
    positions = keras.ops.cumsum(keras.ops.ones_like(tokens), axis=1) - 1
    # Padding and unknown have the first two rows.
    x = embedding(len(vocabulary) + 2, "token_vectors")(tokens)
    x = x + embedding(length, "position_vectors")(positions)
    for block in range(1, blocks + 1):
        y = keras.layers.LayerNormalization(dtype=policy, name=f"norm_{block}a")(x)
        y = keras.layers.MultiHeadAttention(
            heads,
            features // heads,
            dropout=dropout,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            seed=next(seeds),
            dtype=policy,
            name=f"attention_{block}",
        )(y, y, attention_mask=keras.ops.expand_dims(real, 1))
        x = x + _dropout(dropout, next(seeds), policy, f"dropout_{block}a")(y)
        y = keras.layers.LayerNormalization(dtype=policy, name=f"norm_{block}b")(x)
        y = dense(2 * features, "gelu", f"dense_{block}a")(y)
        y = dense(features, None, f"dense_{block}b")(y)
        x = x + _dropout(dropout, next(seeds), policy, f"dropout_{block}b")(y)
    weights = keras.ops.cast(keras.ops.expand_dims(real, -1), policy.compute_dtype)
    count = keras.ops.maximum(keras.ops.sum(weights, axis=1), 1)
    outputs = keras.ops.sum(x * weights, axis=1) / count
    return keras.Model(inputs, outputs, name=name)


def _vocabulary(
    texts: Sequence[str], split: str, standardize: bool, max_tokens: int
) -> list[str]:
    """The most frequent tokens, without those for padding and unknown."""
    layer = keras.layers.TextVectorization(
        max_tokens=max_tokens,
        standardize="lower_and_strip_punctuation" if standardize else None,
        split=split,
    )
    layer.adapt(np.asarray(texts, str))
    return list(layer.get_vocabulary(include_special_tokens=False))


def _dropout(
    rate: float, seed: int | None, policy: keras.DTypePolicy, name: str
) -> keras.layers.Layer:
    return keras.layers.Dropout(rate, seed=seed, dtype=policy, name=name)


def _check(
    texts: Sequence[str],
    split: str,
    max_tokens: int,
    length: int,
    features: int,
    heads: int,
    blocks: int,
) -> None:
    if isinstance(texts, str) or len(texts) == 0:
        raise ValueError(
            "`texts` must be the texts of the training classes, at least one. "
            f"Received: {'one str' if isinstance(texts, str) else 'none'}"
        )
    if split not in ("whitespace", "character"):
        raise ValueError(
            f"`split` must be 'whitespace' or 'character'. Received: {split!r}"
        )
    least = {"max_tokens": 3, "length": 1, "features": 1, "heads": 1, "blocks": 0}
    given = (max_tokens, length, features, heads, blocks)
    for (argument, low), value in zip(least.items(), given, strict=True):
        if value < low:
            raise ValueError(f"`{argument}` must be at least {low}. Received: {value}")
    if features % heads:
        raise ValueError(
            f"`heads` must divide `features`. Received: heads={heads}, "
            f"features={features}"
        )
