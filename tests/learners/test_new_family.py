"""A learner of a family that tfmeta does not know is at home everywhere."""

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export
from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.evaluation import compare, evaluate
from tfmeta.finite import all_finite, finite_or_nan, nan_unless
from tfmeta.learners import FewShotLearner
from tfmeta.learners.task_endpoints import adaptation_endpoints
from tfmeta.signatures.example_spec import ExampleSpec
from tfmeta.testing import check_learner


@keras.saving.register_keras_serializable(package="test_new_family")
class RidgeMemory(FewShotLearner):
    """Remembers a task as the ridge regression of its labels on its examples.

    No encoder, no embeddings, no steps: `W = (X'X + s I)^-1 X'Y` of the examples
    themselves, whose scales, like `s` and the sharpness of the answer, are learned.
    """

    encoder_arguments = ()

    def __init__(self, features, **kwargs):
        super().__init__(None, **kwargs)
        self.features = features
        self.log_scales, self.log_strength, self.log_sharpness = (
            # Never in half precision, in which there is no inverse.
            self.add_weight(shape=shape, initializer="zeros", name=name, autocast=False)
            for name, shape in (
                ("scales", (features,)),
                ("strength", ()),
                ("sharp", ()),
            )
        )

    def _scaled(self, examples):
        return tf.cast(examples, self.variable_dtype) * tf.exp(self.log_scales)

    def adapt(self, support, support_labels, *, support_mask=None, training=False):
        labels = tf.cast(support_labels, self.variable_dtype)
        if support_mask is not None:
            labels *= tf.cast(support_mask, labels.dtype)[:, :, None]
        real = tf.reduce_any(labels > 0, axis=-1, keepdims=True)
        rows = self._scaled(tf.where(real, support, 0))
        # Of what is not finite there is no inverse, but there is an answer: NaN.
        sound = all_finite([self.log_scales, self.log_strength]) & tf.reduce_all(
            tf.math.is_finite(rows), axis=[1, 2]
        )
        rows = tf.where(sound[:, None, None], rows, 0)
        strength = tf.where(
            tf.math.is_finite(self.log_strength), tf.exp(self.log_strength), 1
        )
        gram = tf.matmul(rows, rows, transpose_a=True)
        gram += strength * tf.eye(self.features, dtype=gram.dtype)
        weights = tf.linalg.solve(gram, tf.matmul(rows, labels, transpose_a=True))
        return {
            "weights": nan_unless(sound, weights),
            "present": tf.reduce_any(labels > 0, axis=1),
        }

    def predict_query(self, state, query, *, query_mask=None, training=False):
        if query_mask is not None:
            query = tf.where(query_mask[:, :, None], query, 0)
        answer = tf.matmul(self._scaled(query), state["weights"])
        logits = finite_or_nan(tf.exp(self.log_sharpness) * answer)
        return tf.where(state["present"][:, None], logits, float("-inf"))

    def example_spec(self, input_dtype=None):
        dtype = tf.as_dtype(input_dtype or "float32")
        return ExampleSpec((self.features,), dtype, float_too=False)

    def endpoints(self, examples):
        return [*super().endpoints(examples), *adaptation_endpoints(self, examples)]

    def get_config(self):
        return {**super().get_config(), "features": self.features}


class Asking(ast.NodeVisitor):
    """Whether a module does anything with a family but be a learner of it."""

    families = {"EmbeddingLearner", "GradientBasedLearner"}

    def __init__(self):
        self.found = False

    def visit_ClassDef(self, node):
        # Bases declare; whatever stands in the class may ask.
        for part in (*node.decorator_list, *node.keywords, *node.body):
            self.visit(part)

    def visit_Name(self, node):
        self.found |= node.id in self.families

    def visit_Attribute(self, node):
        self.found |= node.attr in self.families
        self.generic_visit(node)

    def visit_ImportFrom(self, node):
        # Under another name it would be used without being seen.
        self.found |= any(a.name in self.families and a.asname for a in node.names)


def asks(source):
    asking = Asking()
    asking.visit(ast.parse(source))
    return asking.found


def test_nobody_asks_of_which_family_a_learner_is():
    package = Path(tfmeta.__file__).parent
    asking = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] != "learners" and asks(path.read_text())
    ]
    assert asking == []


@pytest.mark.parametrize(
    "source, expected",
    [
        ("isinstance(learner, EmbeddingLearner)", True),
        ("learner.__class__ is learners.GradientBasedLearner", True),
        ("from tfmeta.learners.embedding_learner import EmbeddingLearner as E", True),
        ("class A(B):\n    def f(self): return type(self) is EmbeddingLearner", True),
        ("class A(EmbeddingLearner):\n    def f(self): return self.head", False),
    ],
)
def test_what_counts_as_asking(source, expected):
    assert asks(source) is expected


FEATURES = 6


def make_table(name, seed):
    """Classes that differ in the first two features alone; the others are noise."""
    rng = np.random.default_rng(seed)
    centres = np.zeros((20, 1, FEATURES))
    centres[..., :2] = rng.normal(scale=2, size=(20, 1, 2))
    spread = np.array([0.3, 0.3, 2, 2, 2, 2])
    examples = centres + spread * rng.normal(size=(20, 12, FEATURES))
    labels = [f"{name}{i:02d}" for i in range(20) for _ in range(12)]
    return ClassTable.from_arrays(
        name, examples.reshape(-1, FEATURES).astype(np.float32), labels
    )


@pytest.fixture(scope="module")
def trained():
    learner = RidgeMemory(FEATURES)
    learner.compile(keras.optimizers.Adam(0.1))
    episodes = Episodes(make_table("train", 0), ways=3, shots=2, queries=4, tasks=8)
    history = learner.fit(
        episodes.as_dataset(), steps_per_epoch=40, epochs=2, verbose=0
    )
    return learner, history.history["loss"]


@pytest.mark.slow
def test_keeps_every_habit():
    check_learner(lambda example_shape, ways: RidgeMemory(*example_shape))


def test_trains_and_is_measured(trained):
    learner, losses = trained
    assert losses[-1] < losses[0]
    # It has found out which features say something.
    assert tf.reduce_min(learner.log_scales[:2]) > tf.reduce_max(learner.log_scales[2:])
    table = make_table("test", 1)
    test = Episodes(table, ways=3, shots=2, queries=4, tasks=50)
    found, before = (
        evaluate(model, test, num_episodes=600, seen_classes=())
        for model in (learner, RidgeMemory(FEATURES))
    )
    assert compare(found, before).better == "first"
    assert found.figure.name == "accuracy" and found.over_test_classes.ends is not None
    assert found.class_total.sum() == 600 * 3 * 4


def test_states_are_as_declared():
    learner = RidgeMemory(FEATURES)
    for ways in (3, None):
        spec = learner.state_spec(ways)
        assert {name: part.shape.as_list() for name, part in spec.items()} == {
            "weights": [FEATURES, ways],
            "present": [ways],
        }
    state = learner.adapt(tf.ones((2, 4, FEATURES)), tf.one_hot([[0, 1, 2, 0]] * 2, 3))
    for name, part in learner.state_spec(3).items():
        assert part.is_compatible_with(state[name][0])


def test_is_served_without_tfmeta(trained, tmp_path):
    learner, _ = trained
    rng = np.random.default_rng(0)
    support = rng.normal(size=(7, FEATURES)).astype(np.float32)
    labels = np.array([2, 0, 1, 1, 0, 2, 2], np.int32)
    query = rng.normal(size=(5, FEATURES)).astype(np.float32)
    folder = export.save(learner, tmp_path / "ridge")
    described = json.loads((folder / "tfmeta.json").read_text())
    assert list(described["signatures"]) == ["classify", "adapt", "classify_adapted"]
    assert described["encoder"] is described["embedding_shape"] is None
    assert described["example"]["shape"] == [FEATURES]
    assert described["signatures"]["classify_adapted"]["inputs"] == {
        "weights": {"shape": [FEATURES, None], "dtype": "float32"},
        "present": {"shape": [None], "dtype": "bool"},
        "query": {"shape": [None, FEATURES], "dtype": "float32"},
    }
    np.savez(tmp_path / "task.npz", support=support, labels=labels, query=query)
    script = textwrap.dedent(
        f"""
        import sys
        sys.modules["keras"] = sys.modules["tfmeta"] = None  # TensorFlow alone.
        import numpy as np, tensorflow as tf
        served = tf.saved_model.load({str(folder)!r}).signatures
        task = {{k: tf.constant(v) for k, v in np.load("task.npz").items()}}
        support = {{"support": task["support"], "support_labels": task["labels"]}}
        at_once = served["classify"](query=task["query"], **support)
        state = served["adapt"](**support)
        later = served["classify_adapted"](query=task["query"], **state)
        np.savez("answers.npz", at_once=at_once["probabilities"],
                 later=later["probabilities"])
        """
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path
    )
    # By the closed form, in float64.
    scales = np.exp(learner.log_scales.numpy().astype(float))
    rows, one_hot = support * scales, np.eye(3)[labels]
    strength = np.exp(float(learner.log_strength)) * np.eye(FEATURES)
    weights = np.linalg.solve(rows.T @ rows + strength, rows.T @ one_hot)
    logits = np.exp(float(learner.log_sharpness)) * (query * scales) @ weights
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    with np.load(tmp_path / "answers.npz") as answers:
        np.testing.assert_allclose(answers["at_once"], expected, atol=1e-5)
        np.testing.assert_allclose(answers["later"], expected, atol=1e-5)
