"""What every learner gets from the base class."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.encoders import Conv4
from tfmeta.episodes import Episodes
from tfmeta.learners import FewShotLearner, PrototypicalNetwork


def make_encoder(dtype="float32"):
    kernel = keras.initializers.GlorotUniform(seed=1)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, "tanh", kernel_initializer=kernel, dtype=dtype),
        ]
    )


def make_learner(dtype="float32"):
    return PrototypicalNetwork(make_encoder(dtype), dtype=dtype)


def make_episodes(ways=(2, 4)):
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(48, 4)).astype("float32")
    table = ClassTable.from_arrays("toy", examples, [str(i // 6) for i in range(48)])
    return Episodes(table, ways=ways, shots=2, queries=3, tasks=4)


@keras.saving.register_keras_serializable(package="test_base")
class Recorder(FewShotLearner):
    """Keeps what reaches the two verbs; its logits are the first example's."""

    def adapt(self, support, support_labels, *, support_mask=None, training=False):
        self.seen = [support, support_labels, support_mask, training]
        return {"sum": tf.reduce_sum(support, axis=1)}

    def predict_query(self, state, query, *, query_mask=None, training=False):
        self.seen += [query, query_mask, training]
        return tf.zeros([*query.shape[:2], 2]) + state["sum"][:, None, :2]


# Compiling.


def test_default_loss_is_the_mean_over_real_queries():
    learner = make_learner()
    learner.compile()
    inputs, y, weight = make_episodes().batch(0)
    logits = learner(inputs).numpy().astype("float64")
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    of_label = np.take_along_axis(chances, y.numpy()[..., None], -1)[..., 0]
    real = inputs["query_mask"].numpy()
    assert 0 < (~real).sum() < real.size
    logs = learner.evaluate(inputs, y, sample_weight=weight, batch_size=4, verbose=0)
    assert abs(logs[0] - -np.log(of_label[real]).mean()) < 1e-6
    assert logs[1] == pytest.approx(
        (logits.argmax(-1) == y.numpy())[real].mean(), abs=1e-6
    )


class TopTwo(keras.metrics.SparseTopKCategoricalAccuracy):
    def __init__(self):
        super().__init__(k=2, name="top2")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["accuracy"]),
        ({"metrics": []}, []),
        ({"weighted_metrics": []}, []),
        ({"metrics": ["accuracy"]}, ["accuracy"]),
        (
            {"metrics": [TopTwo()], "weighted_metrics": ["accuracy"]},
            ["accuracy", "top2"],
        ),
    ],
)
def test_all_metrics_are_weighted(options, names):
    learner = make_learner()
    learner.compile(**options)
    inputs, y, weight = make_episodes().batch(0)
    logs = learner.test_on_batch(inputs, y, weight, return_dict=True)
    ranks = learner(inputs).numpy().argsort(-1)[..., ::-1]
    hits = (ranks == y.numpy()[..., None])[weight.numpy() > 0]
    expected = {"accuracy": hits[:, 0].mean(), "top2": hits[:, :2].any(-1).mean()}
    # Some tasks have absent ways, whose logit is -inf.
    assert np.isneginf(learner(inputs)).any()
    assert logs.pop("loss") > 0
    assert logs == pytest.approx({name: expected[name] for name in names}, abs=1e-6)


def test_a_loss_of_ones_own():
    learner = make_learner()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    learner.compile("sgd", loss)
    assert learner.loss is loss
    inputs, y = make_episodes(ways=3).batch(0)
    total = learner.test_on_batch(inputs, y, return_dict=True)["loss"]
    learner.compile("sgd")
    mean = learner.test_on_batch(inputs, y, return_dict=True)["loss"]
    assert total == pytest.approx(mean * 4 * 9, rel=1e-5)


def test_float64_loss_is_not_rounded_while_keras_defaults_to_float32():
    learner = make_learner("float64")
    learner.compile()
    assert learner.loss.dtype == "float64"
    inputs, y, weight = make_episodes().batch(0)
    logits = learner(inputs)
    assert logits.dtype == tf.float64
    assert learner.loss(y, logits, weight).dtype == tf.float64
    make_learner().compile()
    assert keras.config.floatx() == "float32"


def test_compile_state_comes_back_from_its_config():
    learner = make_learner()
    learner.compile(
        keras.optimizers.Adam(0.25, beta_1=0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, "top2")],
    )
    again = make_learner()
    again.compile_from_config(learner.get_compile_config())
    assert type(again.optimizer) is keras.optimizers.Adam
    assert float(again.optimizer.learning_rate) == 0.25
    assert again.optimizer.beta_1 == 0.5
    # Built, so that a file's optimizer variables find their place.
    assert again.optimizer.built
    assert len(again.optimizer.variables) == 2 + 2 * len(again.trainable_variables)
    inputs, y, weight = make_episodes().batch(0)
    logs = [
        m.test_on_batch(inputs, y, weight, return_dict=True) for m in (learner, again)
    ]
    assert set(logs[0]) == {"loss", "accuracy", "top2"}
    assert logs[0] == logs[1]


# What reaches the verbs.


@pytest.mark.parametrize("training", [False, True])
def test_a_call_passes_every_part_on_unrounded(training):
    learner = Recorder(make_encoder(), dtype="mixed_bfloat16")
    inputs, *_ = make_episodes(ways=(2, 3)).batch(0)
    # Not a bfloat16 number.
    inputs["support"] = tf.ones_like(inputs["support"]) + 2.0**-20
    learner(inputs, training=training)
    support, labels, mask, first, query, query_mask, second = learner.seen
    assert first is training and second is training
    for got, name in (
        (support, "support"),
        (labels, "support_labels"),
        (mask, "support_mask"),
        (query, "query"),
        (query_mask, "query_mask"),
    ):
        assert got.dtype == inputs[name].dtype
        np.testing.assert_array_equal(got, inputs[name])


def test_masks_are_optional():
    learner = Recorder(make_encoder())
    inputs, _ = make_episodes(ways=3).batch(0)
    learner(inputs)
    assert learner.seen[2] is None and learner.seen[5] is None


def test_uint8_pictures_reach_the_encoder_as_they_are():
    encoder = Conv4((8, 8, 1), filters=2, blocks=2, seed=1)
    learner = PrototypicalNetwork(encoder)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, size=(16, 8, 8, 1), dtype="uint8")
    table = ClassTable.from_arrays("toy", pictures, [str(i // 4) for i in range(16)])
    inputs, _ = Episodes(table, ways=3, shots=1, queries=2, tasks=2).batch(0)
    assert inputs["support"].dtype == tf.uint8
    wide = {**inputs}
    for name in ("support", "query"):
        wide[name] = tf.cast(inputs[name], tf.float32)
    np.testing.assert_array_equal(learner(inputs), learner(wide))


# What a learner is before it has seen data.


def test_built_at_once():
    encoder = make_encoder()
    learner = PrototypicalNetwork(encoder, name="mine")
    assert learner.built and learner.name == "mine"
    assert [v.path for v in learner.weights] == [v.path for v in encoder.weights]
    assert learner.count_params() == 15
    lines = []
    learner.summary(print_fn=lines.append)
    assert "mine" in lines[0]


def test_an_abstract_learner_has_no_verbs():
    learner = FewShotLearner(make_encoder())
    assert learner.transductive is False
    inputs, _ = make_episodes(ways=3).batch(0)
    with pytest.raises(NotImplementedError):
        learner.adapt(inputs["support"], inputs["support_labels"])
    with pytest.raises(NotImplementedError):
        learner.predict_query({}, inputs["query"])


def test_from_config_leaves_the_config_alone():
    """A functional encoder's configuration is taken apart by Keras."""
    config = PrototypicalNetwork(Conv4((8, 8, 1), filters=2, blocks=2)).get_config()
    before = copy.deepcopy(config)
    PrototypicalNetwork.from_config(config)
    assert config == before
    PrototypicalNetwork.from_config(config)


class OwnLayer(keras.layers.Layer):
    """Registered by nobody."""

    def call(self, inputs):
        return 2.0 * inputs


def test_custom_objects(tmp_path):
    with keras.saving.custom_object_scope({"OwnLayer": OwnLayer}):
        encoder = keras.Sequential([keras.Input((4,)), OwnLayer()])
        learner = PrototypicalNetwork(encoder)
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(
        tmp_path / "learner.keras", custom_objects={"OwnLayer": OwnLayer}
    )
    inputs, _ = make_episodes(ways=3).batch(0)
    np.testing.assert_array_equal(loaded(inputs), learner(inputs))


def test_frozen_encoder_stays_frozen_in_the_copy():
    encoder = make_encoder()
    encoder.trainable = False
    learner = PrototypicalNetwork(encoder)
    again = PrototypicalNetwork.from_config(learner.get_config())
    assert not learner.trainable_variables and not again.trainable_variables
