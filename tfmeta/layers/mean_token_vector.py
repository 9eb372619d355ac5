"""The mean of the token vectors of a text."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.layers.byte_pair_merging import tokenize
from tfmeta.layers.byte_pair_rules import BytePairRules


@keras.saving.register_keras_serializable(package="tfmeta")
class MeanTokenVector(keras.layers.Layer):
    """Byte-pair tokens of a text, and the mean of their vectors.

    Tokens are those of a SentencePiece byte-pair model with a fallback to bytes, as
    Llama 2 has it: a space is put before the text, spaces become U+2581, pairs of
    tokens are merged by their rank, and a character that is no token becomes its
    UTF-8 bytes. Names of control tokens in a text, such as `<s>`, are text. What is
    not valid UTF-8 counts as U+FFFD. Stretches of more than 64 characters that merges
    could join, `"aaaa…"`, are cut every 64; all else has exactly the model's tokens.

    The rules are weights that nothing trains, so that they lie in every file of a
    model, and all is done by operations of TensorFlow itself, which a SavedModel
    answers with alone.

    Args:
        features: Length of a vector.
        sizes: Number of tokens, `"tokens"`, and of entries of each array of
            `BytePairRules` but `byte_tokens`; `sizes_of` makes it. The layer has the
            rules after `set_rules`, or from a file.
        **kwargs: `name` and others of `keras.layers.Layer`.

    Raises:
        ValueError: When `features` or one of `sizes` is less than 1, or one is missing.

    Call arguments:
        inputs: Strings `(batch,)`, UTF-8.

    Returns:
        `(batch, features)` in the compute dtype. A text without tokens, the empty
        one, has the mean 0.

    Example:

    ```python
    layer = MeanTokenVector(256, sizes_of(rules))
    layer.set_rules(rules, vectors)
    layer(tf.constant(["is my card blocked", ""])).shape  # (2, 256)
    layer.tokenize(tf.constant(["is my card blocked"]))  # a tf.RaggedTensor
    ```

    References:
        Rico Sennrich, Barry Haddow and Alexandra Birch, 2016, Neural Machine
        Translation of Rare Words with Subword Units.

        Taku Kudo and John Richardson, 2018, SentencePiece: A simple and language
        independent subword tokenizer and detokenizer for Neural Text Processing.
    """

    def __init__(self, features: int, sizes: dict[str, int], **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        wanted = {"tokens", "characters", "neighbours", "pairs"}
        if sizes.keys() != wanted or min(features, *sizes.values()) < 1:
            raise ValueError(
                "`features` and `sizes` must be at least 1, and `sizes` must have "
                f"{', '.join(sorted(wanted))}. Received: features={features}, "
                f"sizes={sizes}"
            )
        self.features = int(features)
        self.sizes = {name: int(size) for name, size in sizes.items()}
        self.supports_jit = False  # XLA knows no strings.
        # Nothing but strings comes in, and there is nothing to cast.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        lengths = {
            "characters": ("characters", "int32"),
            "character_tokens": ("characters", "int32"),
            "neighbours": ("neighbours", "int64"),
            "pairs": ("pairs", "int64"),
            "pair_ranks": ("pairs", "int32"),
            "pair_tokens": ("pairs", "int32"),
        }
        self.rules = {
            name: self._rule(name, self.sizes[size], dtype)
            for name, (size, dtype) in lengths.items()
        }
        self.rules["byte_tokens"] = self._rule("byte_tokens", 256, "int32")
        self.vectors = self.add_weight(
            shape=(self.sizes["tokens"], self.features),
            initializer=keras.initializers.RandomNormal(seed=0),
            name="vectors",
        )
        self.built = True

    def _rule(self, name: str, size: int, dtype: str) -> keras.Variable:
        return self.add_weight(
            shape=(size,), dtype=dtype, initializer="zeros", trainable=False, name=name
        )

    def set_rules(
        self, rules: BytePairRules, vectors: np.ndarray | None = None
    ) -> None:
        """Takes the rules, and the vectors of the tokens, `(tokens, features)`.

        Raises:
            ValueError: When a shape is another.
        """
        for name, values in rules.arrays().items():
            self.rules[name].assign(values)
        if vectors is not None:
            self.vectors.assign(np.asarray(vectors, np.float32))

    def tokenize(self, texts: Any) -> tf.RaggedTensor:
        """The tokens of texts `(batch,)`: `(batch, tokens)`, int32."""
        rules = {name: tf.convert_to_tensor(v) for name, v in self.rules.items()}
        texts = tf.convert_to_tensor(texts, tf.string)
        return tokenize(texts, rules, self.sizes["tokens"])

    def call(self, inputs: Any) -> tf.Tensor:
        """The means."""
        tokens = self.tokenize(inputs)
        # A long text has each token many times: its vectors are gathered once.
        different, which = tf.unique(tokens.values)
        vectors = tf.gather(tf.convert_to_tensor(self.vectors), different)
        means = tf.sparse.segment_mean(
            tf.cast(vectors, tf.float32),
            which,
            tokens.value_rowids(),
            num_segments=tokens.nrows(),
        )
        return tf.cast(means, self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Shape and dtype of the output."""
        shape = (inputs.shape[0], self.features)
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "features": self.features,
            "sizes": self.sizes,
        }


def sizes_of(rules: BytePairRules) -> dict[str, int]:
    """The `sizes` of a `MeanTokenVector` with these rules."""
    return {
        "tokens": rules.num_tokens,
        "characters": len(rules.characters),
        "neighbours": len(rules.neighbours),
        "pairs": len(rules.pairs),
    }
