"""The token vectors of WordLlama, of the extra `texts`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras

from tfmeta.encoders.pretrained.installed_weights import installed_file
from tfmeta.encoders.pretrained.network import Network
from tfmeta.encoders.pretrained.safetensors_file import read_matrix
from tfmeta.json_files import read_json
from tfmeta.layers.byte_pair_rules import BytePairRules, make_rules
from tfmeta.layers.mean_token_vector import MeanTokenVector, sizes_of

WORDLLAMA = "wordllama"
# Texts that language models had learned from, then pairs of sentences; the package does
# not list them.
DATA = "wordllama"
_FEATURES = 256

# What `MeanTokenVector` does before it merges.
_NORMALIZER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ],
}


def wordllama_network(weights: str | os.PathLike[str] | None) -> Network:
    """The mean of the token vectors of a text, `(batch,)` to `(batch, 256)`.

    Package `wordllama` is under the MIT licence; its vectors derive from Llama 2's
    embeddings by their name. It is never imported: two of its files are read.

    Args:
        weights: `"pretrained"` for the package's vectors, `None` for random ones, or
            the path of a safetensors file of one vector for each of its tokens.

    Raises:
        MissingExtraError: When the extra is not installed.
        FileNotFoundError: When there is no file at `weights`.
        ValueError: When a file is damaged, or another than it must be.
    """
    rules = read_rules(_installed(".json"))
    vectors = None
    if weights is not None:
        known = weights == "pretrained"
        path = _installed(".safetensors") if known else Path(weights)
        vectors = read_matrix(path)
        if len(vectors) != rules.num_tokens:
            raise ValueError(
                f"{path} must hold {rules.num_tokens:,} vectors, one for each token. "
                f"Received: {len(vectors):,}"
            )
    features = _FEATURES if vectors is None else vectors.shape[1]
    layer = MeanTokenVector(features, sizes_of(rules), name="mean_token_vector")
    layer.set_rules(rules, vectors)
    texts = keras.Input((), dtype="string", name="texts")
    model = keras.Model(texts, layer(texts), name=WORDLLAMA)
    return Network(model, None, None, DATA if weights == "pretrained" else None)


def _installed(suffix: str) -> Path:
    return installed_file(
        WORDLLAMA, suffix, what=f"encoder {WORDLLAMA!r}", extra="texts"
    )


def read_rules(path: str | os.PathLike[str]) -> BytePairRules:
    """The rules of a tokenizer in a JSON file of the library `tokenizers`.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it holds another kind of tokenizer than
            `tfmeta.layers.MeanTokenVector` computes.
    """
    content = read_json(Path(path))
    model = content.get("model") if isinstance(content, dict) else None
    wanted: dict[str, Any] = {
        "type": "BPE",
        "dropout": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "byte_fallback": True,
    }
    if (
        not isinstance(model, dict)
        or any(model.get(name) != value for name, value in wanted.items())
        or model.get("ignore_merges")
        or content.get("normalizer") != _NORMALIZER
        or content.get("pre_tokenizer") is not None
        or not isinstance(model.get("vocab"), dict)
        or not isinstance(model.get("merges"), list)
    ):
        raise ValueError(
            f"{path} must be a byte-pair tokenizer with a fallback to bytes, as that "
            "of Llama 2. Received: another kind"
        )
    merges = model["merges"]
    pairs = [tuple(m.split(" ") if isinstance(m, str) else m) for m in merges]
    try:
        return make_rules(model["vocab"], pairs)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
