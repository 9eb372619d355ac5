"""The installed token vectors: tokens as the library tokenizers has them, and texts."""

import csv
import gzip
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import export
from tfmeta.encoders import pretrained, pretraining_data
from tfmeta.encoders.pretrained.installed_weights import installed_file
from tfmeta.encoders.pretrained.safetensors_file import read_matrix
from tfmeta.encoders.pretrained.wordllama import read_rules
from tfmeta.extras import MissingExtraError
from tfmeta.learners import SimpleShot

TEXTS = [
    "is my card blocked?",
    "",
    " ",
    "Größe ändern, наличные, 日本語 テスト, हिन्दी, 한국어",
    "a\x00b\n\tc   d",
    "👩‍👩‍👧 \U00012000",
    "https://example.org/a?b=12345&c=%20",
]


def installed(suffix):
    try:
        return installed_file("wordllama", suffix, what="the test", extra="texts")
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def encoder():
    installed(".json")
    return pretrained("wordllama")


@pytest.fixture(scope="module")
def tokenizer():
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers not installed")
    return tokenizers.Tokenizer.from_file(str(installed(".json")))


def layer_of(encoder):
    return next(x for x in encoder._flatten_layers() if hasattr(x, "tokenize"))


def by_library(tokenizer, texts):
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [one.ids for one in encoded]


def test_tokens_and_means(encoder, tokenizer):
    tokens = by_library(tokenizer, TEXTS)
    assert layer_of(encoder).tokenize(tf.constant(TEXTS)).to_list() == tokens
    table = read_matrix(installed(".safetensors")).astype(np.float32)
    found = encoder(tf.constant(TEXTS))
    assert found.shape == (len(TEXTS), 256) and found.dtype == tf.float32
    for row, ids in zip(found.numpy(), tokens, strict=True):
        expected = table[ids].mean(axis=0) if ids else np.zeros(256)
        np.testing.assert_allclose(row, expected, atol=1e-6)
    assert encoder.output_shape == (None, 256)


def test_tokens_of_real_sentences(encoder, tokenizer, reference_data):
    folder = reference_data / "text"
    content = json.loads(
        gzip.decompress((folder / "clinc150" / "data_full.json.gz").read_bytes())
    )
    texts = [text for text, _ in content["test"]][::4]
    (path,) = (folder / "banking77").glob("test.csv*")
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        texts += [row["text"] for row in csv.DictReader(file)][::4]
    found = layer_of(encoder).tokenize(tf.constant(texts)).to_list()
    assert len(texts) > 1800 and found == by_library(tokenizer, texts)


def test_names_of_control_tokens_are_text(encoder):
    tokenize = layer_of(encoder).tokenize
    tokens = tokenize(tf.constant(["<s> </s> <unk> <0x41>"])).to_list()[0]
    assert not {0, 1, 2, 0x41 + 3} & set(tokens)


def test_it_is_frozen_and_knows_its_data(encoder, tmp_path):
    assert not encoder.trainable_weights
    assert pretraining_data(encoder) == "wordllama"
    encoder.save(tmp_path / "texts.keras")
    loaded = keras.saving.load_model(tmp_path / "texts.keras", safe_mode=True)
    np.testing.assert_array_equal(
        loaded(tf.constant(TEXTS)), encoder(tf.constant(TEXTS))
    )
    assert pretraining_data(loaded) == "wordllama" and not loaded.trainable_weights


@pytest.mark.slow
def test_an_export_answers_without_keras(encoder, tmp_path):
    learner = SimpleShot(encoder)
    folder = export.save(learner, tmp_path / "texts")
    support, labels = ["block my card", "will it rain"], np.array([0, 1], np.int32)
    queries = ["my card was stolen", "is it sunny tomorrow", ""]
    np.savez(
        tmp_path / "in.npz",
        **{
            "six/embed/examples": np.array([text.encode() for text in TEXTS]),
            "task/classify/support": np.array([text.encode() for text in support]),
            "task/classify/support_labels": labels,
            "task/classify/query": np.array([text.encode() for text in queries]),
        },
    )
    scripts = Path(__file__).parents[2] / "export"
    done = subprocess.run(
        [
            *(sys.executable, scripts / "without_keras.py"),
            *(scripts / "answer_requests.py", folder),
            *(tmp_path / "in.npz", tmp_path / "out"),
        ],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as found:
        embeddings = found["objects/six/embeddings"]
        probabilities = found["objects/task/probabilities"]
    np.testing.assert_allclose(embeddings, encoder(tf.constant(TEXTS)), atol=1e-6)
    assert probabilities[:2].argmax(axis=1).tolist() == [0, 1]
    # An empty text is as near to either.
    assert np.isfinite(probabilities).all()


def test_other_weights(encoder, tmp_path):
    random = pretrained("wordllama", weights=None, trainable=True)
    assert pretraining_data(random) is None and len(random.trainable_weights) == 1
    assert random(tf.constant(TEXTS)).shape == (len(TEXTS), 256)
    vectors = np.ones((2, 4), "<f4")
    header = {"w": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]}}
    text = json.dumps(header).encode()
    path = tmp_path / "other.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + vectors.tobytes())
    with pytest.raises(ValueError, match=r"32,000 vectors.* Received: 2"):
        pretrained("wordllama", weights=path)
    with pytest.raises(FileNotFoundError):
        pretrained("wordllama", weights=tmp_path / "absent")


def test_the_line_that_installs_it(monkeypatch):
    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", none)
    line = re.escape('pip install "tfmeta[texts]"')
    with pytest.raises(ImportError, match=f"'wordllama' needs .*{line}"):
        pretrained("wordllama")


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["model"].update(type="Unigram"),
        lambda c: c["model"].update(byte_fallback=False),
        lambda c: c["model"].update(dropout=0.1),
        lambda c: c["model"].update(ignore_merges=True),
        lambda c: c["model"].update(merges=None),
        lambda c: c["model"].pop("vocab"),
        lambda c: c.update(normalizer=None),
        lambda c: c.update(pre_tokenizer={"type": "ByteLevel"}),
        lambda c: c.update(model=[]),
    ],
)
def test_other_tokenizers_are_refused(tmp_path, change):
    normalizers = [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ]
    bytes_ = {f"<0x{byte:02X}>": byte for byte in range(256)}
    content = {
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "byte_fallback": True,
            "vocab": {**bytes_, "a": 256, "aa": 257},
            "merges": ["a a"],
        },
    }
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content), "utf-8")
    assert read_rules(path).num_tokens == 258
    content["model"]["merges"] = [["a", "a"]]
    path.write_text(json.dumps(content), "utf-8")
    assert read_rules(path).pair_tokens.tolist() == [257]
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ValueError, match=r"tokenizer.json must be a byte-pair"):
        read_rules(path)


def test_a_damaged_tokenizer_file(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text("{", "utf-8")
    with pytest.raises(ValueError, match="tokenizer.json must be a JSON file"):
        read_rules(path)
