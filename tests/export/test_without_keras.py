"""One learner of each family, served where neither tfmeta nor Keras can be imported."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

HERE = Path(__file__).parent
LOADERS = ("objects", "session")


def files_of(task):
    """Its pictures as PNG files."""

    def encoded(pictures):
        return np.array([tf.io.encode_png(picture).numpy() for picture in pictures])

    return {n: encoded(v) if v.ndim == 4 else v for n, v in task.items()}


def regression_task():
    rng = np.random.default_rng(0)
    shapes = {"support": (5, 3), "support_labels": (5, 2), "query": (4, 3)}
    return {n: rng.normal(size=shape).astype(np.float32) for n, shape in shapes.items()}


def by_verbs(learner, task, **more):
    """Logits by the learner's public verbs, not by what the export calls."""
    labels = task["support_labels"]
    targets = tf.one_hot(labels, 3) if labels.ndim == 1 else labels
    state = learner.adapt(task["support"][None], targets[None], **more)
    return state, learner.predict_query(state, task["query"][None])[0].numpy()


@pytest.fixture(scope="module")
def answers(families, task, tmp_path_factory):
    """By family: what its export answers, all of them in one process."""
    folder = tmp_path_factory.mktemp("requests")
    prior = {**task, "prior": task["support"][:3]}
    state, _ = by_verbs(families["inner_loop"].learner, task)
    adapted = {name: values[0].numpy() for name, values in state.items()}
    support = {name: task[name] for name in ("support", "support_labels")}
    requests = {
        "metric": {
            "embed_encoded": {"examples": files_of(task)["query"]},
            "classify": task,
            "classify_encoded": files_of(task),
        },
        "head": {"classify_encoded": files_of(task), "classify_with_prior": prior},
        "inner_loop": {
            "classify": task,
            "classify_encoded": files_of(task),
            "adapt": support,
            "adapt_encoded": files_of(support),
            "classify_adapted": {**adapted, "query": task["query"]},
            "classify_adapted_encoded": {**adapted, "query": files_of(task)["query"]},
        },
        "regression": {"predict": regression_task()},
    }
    arguments = []
    for family, signatures in requests.items():
        arrays = {
            f"{signature}/{signature}/{name}": values
            for signature, inputs in signatures.items()
            for name, values in inputs.items()
        }
        np.savez(folder / f"{family}.npz", **arrays)
        arguments += [families[family].folder, folder / f"{family}.npz"]
        arguments.append(folder / f"{family}-answers.npz")
    done = subprocess.run(
        [
            *(sys.executable, HERE / "without_keras.py", HERE / "answer_requests.py"),
            *arguments,
        ],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {f: dict(np.load(folder / f"{f}-answers.npz")) for f in requests}


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("family", "signature"),
    [
        *(("metric", "classify"), ("metric", "classify_encoded")),
        *(("head", "classify_encoded"), ("head", "classify_with_prior")),
        *(("inner_loop", "classify"), ("inner_loop", "classify_encoded")),
        ("inner_loop", "classify_adapted"),
        ("inner_loop", "classify_adapted_encoded"),
    ],
)
def test_classes(families, answers, task, family, signature, loader):
    prior = {"prior": task["support"][None, :3]}
    more = prior if signature == "classify_with_prior" else {}
    _, expected = by_verbs(families[family].learner, task, **more)
    found = answers[family]
    assert np.ptp(expected) > 0.01
    close(found[f"{loader}/{signature}/logits"], expected)
    close(found[f"{loader}/{signature}/probabilities"], tf.nn.softmax(expected))
    ways = found[f"{loader}/{signature}/ways"]
    assert (ways.shape, ways.dtype, ways) == ((), np.int32, 3)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("signature", ["adapt", "adapt_encoded"])
def test_an_adapted_state(families, answers, task, signature, loader):
    state, _ = by_verbs(families["inner_loop"].learner, task)
    for name, values in state.items():
        close(answers["inner_loop"][f"{loader}/{signature}/{name}"], values[0])


@pytest.mark.parametrize("loader", LOADERS)
def test_embeddings_and_targets(families, answers, task, loader):
    expected = families["metric"].learner.encoder(task["query"], training=False)
    close(answers["metric"][f"{loader}/embed_encoded/embeddings"], expected)
    _, expected = by_verbs(families["regression"].learner, regression_task())
    found = answers["regression"]
    close(found[f"{loader}/predict/predictions"], expected)
    assert found[f"{loader}/predict/outputs"] == 2
