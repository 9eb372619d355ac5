"""Learners with an inner loop adapt where they are served."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta import export
from tfmeta.learners import ANIL, MAML, LSTMMetaLearner, MetaSGD, Reptile

SUPPORT = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 1)).astype("uint8")
QUERY = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 1)).astype("uint8")
LABELS = np.array([0, 1, 2, 0, 1, 2], "int32")


def encoder():
    return tfmeta.encoders.Conv4((16, 16, 1), filters=4, blocks=2, seed=0)


def by_python(learner, labels=LABELS):
    one_hot = tf.one_hot(labels, labels.max() + 1)[None]
    state = learner.adapt(SUPPORT[None], one_hot)
    return tf.nn.softmax(learner.predict_query(state, QUERY[None])[0]).numpy()


LEARNERS = {
    "maml": lambda: MAML(encoder(), 3, inner_steps=2, seed=0),
    "prototypes": lambda: MAML(encoder(), head="prototypes", inner_learning_rate=0.01),
    "support": lambda: ANIL(encoder(), 3, batch_normalization="support", seed=0),
    "running": lambda: MetaSGD(encoder(), 3, batch_normalization="running", seed=0),
    "reptile": lambda: Reptile(encoder(), 3, test_inner_steps=12, seed=0),
    "lstm": lambda: LSTMMetaLearner(encoder(), 3, inner_steps=2, seed=0),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "maml",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("reptile", "lstm")),
        *(
            pytest.param(name, marks=pytest.mark.exhaustive)
            for name in ("prototypes", "support", "running")
        ),
    ],
)
def test_the_served_model_adapts_as_the_learner_does(name, tmp_path):
    learner = LEARNERS[name]()
    folder = export.save(learner, tmp_path / "model")
    script = textwrap.dedent(
        f"""
        import sys
        sys.modules["keras"] = sys.modules["tfmeta"] = None  # TensorFlow alone.
        import numpy as np, tensorflow as tf
        served = tf.saved_model.load({str(folder)!r}).signatures
        support, labels, query = (np.load({str(tmp_path)!r} + f"/{{n}}.npy")
                                  for n in ("support", "labels", "query"))
        labels, query = tf.constant(labels), tf.constant(query)
        support = tf.constant(support)
        at_once = served["classify"](
            support=support, support_labels=labels, query=query)
        state = served["adapt"](support=support, support_labels=labels)
        later = served["classify_adapted"](query=query, **state)
        np.savez({str(tmp_path)!r} + "/answers.npz", at_once=at_once["probabilities"],
                 later=later["probabilities"], names=sorted(state))
        """
    )
    for n, values in (("support", SUPPORT), ("labels", LABELS), ("query", QUERY)):
        np.save(tmp_path / f"{n}.npy", values)
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    answers = np.load(tmp_path / "answers.npz")
    expected = by_python(learner)
    np.testing.assert_allclose(answers["at_once"], expected, atol=1e-5)
    np.testing.assert_allclose(answers["later"], expected, atol=1e-5)
    assert {"head_kernel", "head_bias", "present"} < set(answers["names"].tolist())


@pytest.mark.slow
def test_a_head_of_prototypes_takes_any_number_of_ways(tmp_path):
    learner = LEARNERS["prototypes"]()
    served = tf.saved_model.load(export.save(learner, tmp_path)).signatures["classify"]
    for labels in (np.array([0, 1, 0, 1, 0, 1], "int32"), np.arange(6, dtype="int32")):
        answer = served(
            support=tf.constant(SUPPORT),
            support_labels=tf.constant(labels),
            query=tf.constant(QUERY),
        )["probabilities"]
        np.testing.assert_allclose(answer, by_python(learner, labels), atol=1e-5)


def test_a_fixed_head_names_its_ways(tmp_path):
    dense = keras.Sequential([keras.Input(SUPPORT.shape[1:]), keras.layers.Flatten()])
    learner = MAML(dense, 3, seed=0)
    served = tf.saved_model.load(export.save(learner, tmp_path)).signatures
    labels = tf.constant(np.array([0, 1, 2, 3, 1, 2], "int32"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be below 3"):
        served["adapt"](support=tf.constant(SUPPORT, tf.float32), support_labels=labels)


def test_a_regression_predicts(tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(4, "tanh")(inputs))
    learner = MAML(model, 1, task="regression", inner_learning_rate=0.05, seed=0)
    served = tf.saved_model.load(export.save(learner, tmp_path)).signatures
    rng = np.random.default_rng(0)
    x, y, query = (
        tf.constant(rng.normal(size=shape), tf.float32)
        for shape in ((5, 2), (5, 1), (7, 2))
    )
    expected = learner.predict_query(learner.adapt(x[None], y[None]), query[None])[0]
    answer = served["predict"](support=x, support_labels=y, query=query)
    np.testing.assert_allclose(answer["predictions"], expected, atol=1e-6)
    state = served["adapt"](support=x, support_labels=y)
    later = served["predict_adapted"](query=query, **state)["predictions"]
    np.testing.assert_allclose(later, expected, atol=1e-6)
