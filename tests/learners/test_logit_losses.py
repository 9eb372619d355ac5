"""Losses and metrics by name are of logits, or refused with what to write."""

import functools
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners import (
    MAML,
    Baseline,
    BaselinePlusPlus,
    LSTMMetaLearner,
    PrototypicalNetwork,
    RelationNetwork,
    Reptile,
    SiameseNetwork,
)
from tfmeta.losses import ContrastiveLoss, RelationScoreLoss, TripletLoss

TASKS, QUERIES, WAYS = 2, 6, 3
Sparse = keras.losses.SparseCategoricalCrossentropy
SparseMetric = keras.metrics.SparseCategoricalCrossentropy


def make_encoder(dtype="float32"):
    kernel = keras.initializers.GlorotUniform(seed=1)
    dense = keras.layers.Dense(3, "tanh", kernel_initializer=kernel, dtype=dtype)
    return keras.Sequential([keras.Input((4,)), dense])


@keras.saving.register_keras_serializable(package="test_logit_losses")
class Fixed(PrototypicalNetwork):
    """Its logits are its only weights."""

    def __init__(self, encoder, **options):
        super().__init__(encoder, **options)
        self.logits = self.add_weight(
            shape=(TASKS, QUERIES, WAYS), initializer="zeros", name="logits"
        )
        rng = np.random.default_rng(0)
        self.logits.assign(rng.normal(size=self.logits.shape))

    def episode_logits(self, inputs, *, training=False):
        return 1.0 * self.logits


def batch():
    rng = np.random.default_rng(1)
    inputs = {
        "support": rng.normal(size=(TASKS, WAYS, 4)).astype("float32"),
        "support_labels": np.tile(np.eye(WAYS, dtype="float32"), (TASKS, 1, 1)),
        "query": rng.normal(size=(TASKS, QUERIES, 4)).astype("float32"),
    }
    y = rng.integers(0, WAYS, size=(TASKS, QUERIES)).astype("int32")
    weight = (rng.uniform(size=y.shape) < 0.6).astype("float32")
    return inputs, y, weight


def by_hand(logits, y, weight, divisor):
    """Cross-entropy, its gradient, in float64."""
    logits = logits.astype("float64")
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    right = np.eye(WAYS)[y]
    loss = -np.sum(weight * np.log((chances * right).sum(-1))) / divisor
    return loss, weight[..., None] * (chances - right) / divisor


class Inherited(Sparse):
    """A loss of one's own that is Keras' all the same, and is not registered."""


PADDED = {
    "name": "sparse_categorical_crossentropy",
    "class name": "SparseCategoricalCrossentropy",
    "short": "crossentropy",
    "shorter": "ce",
    "function": keras.losses.sparse_categorical_crossentropy,
    "class": Sparse,
    "partial": functools.partial(
        keras.losses.sparse_categorical_crossentropy, from_logits=False
    ),
    "config of a function": keras.losses.serialize(
        keras.losses.sparse_categorical_crossentropy
    ),
    "list": ["sparse_categorical_crossentropy"],
    "dict": {"logits": "sparse_categorical_crossentropy"},
    "default": None,
}
OWN_REDUCTION = {
    "instance": Sparse(),
    "says no": Sparse(from_logits=False),
    "says yes": Sparse(from_logits=True),
    "config": keras.losses.serialize(Sparse()),
    "tuple": (Sparse(),),
    "sum": Sparse(reduction="sum"),
    "inherited": Inherited(),
    "inherited class": Inherited,
    "method": Sparse().call,
    "calling method": Sparse().__call__,
}


@pytest.mark.parametrize("given", [*PADDED, *OWN_REDUCTION])
def test_a_step_is_that_of_the_cross_entropy_of_logits(given):
    inputs, y, weight = batch()
    loss = {**PADDED, **OWN_REDUCTION}[given]
    learner = Fixed(make_encoder())
    learner.compile(keras.optimizers.SGD(1.0), loss, run_eagerly=True)
    divisor = y.size if given in OWN_REDUCTION else weight.sum()
    divisor = 1.0 if given == "sum" else divisor
    before = learner.logits.numpy()
    expected, gradient = by_hand(before, y, weight, divisor)
    logs = learner.train_on_batch(inputs, y, weight, return_dict=True)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert np.abs(gradient).max() > 1e-2
    np.testing.assert_allclose(before - learner.logits, gradient, atol=1e-6)


def test_what_was_given_is_left_alone():
    loss = Sparse(reduction="sum", ignore_class=2, name="mine")
    learner = Fixed(make_encoder())
    learner.compile("sgd", loss)
    assert not loss.from_logits and not loss._fn_kwargs["from_logits"]
    assert learner.loss.from_logits and learner.loss.ignore_class == 2
    assert learner.loss.reduction == "sum" and learner.loss.name == "mine"
    loss = Sparse(from_logits=True)
    learner.compile("sgd", loss)
    assert learner.loss is loss


def test_float64_is_not_rounded():
    learner = Fixed(make_encoder("float64"), dtype="float64")
    learner.compile("sgd", "ce", metrics=["ce"])
    assert learner.loss.dtype == "float64"


def vectors():
    return make_encoder()


def maps():
    return keras.Sequential([keras.Input((4,)), keras.layers.Reshape((2, 2, 1))])


LEARNERS = {
    "prototypical": lambda: PrototypicalNetwork(vectors()),
    "siamese": lambda: SiameseNetwork(vectors(), "triplet"),
    "relation": lambda: RelationNetwork(maps(), relation_filters=2, seed=0),
    "maml": lambda: MAML(vectors(), WAYS, seed=0),
    "reptile": lambda: Reptile(vectors(), WAYS, inner_learning_rate=0.1, seed=0),
    "lstm": lambda: LSTMMetaLearner(vectors(), WAYS, inner_steps=1, seed=0),
    "baseline": lambda: Baseline(vectors(), WAYS, head_steps=2, seed=0),
    "baseline++": lambda: BaselinePlusPlus(vectors(), WAYS, head_steps=2, seed=0),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_moves_as_by_its_cross_entropy(name):
    inputs, y, weight = batch()
    data = (inputs, y, weight)
    if name.startswith("baseline"):
        data = (inputs["query"][0], y[0], weight[0])
    moved = []
    explicit = Sparse(from_logits=True, reduction="mean_with_sample_weight")
    for loss in ("sparse_categorical_crossentropy", explicit):
        learner = LEARNERS[name]()
        start = moved[0][0] if moved else learner.get_weights()
        learner.set_weights(start)
        learner.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=True)
        learner.train_on_batch(*data)
        moved.append((start, learner.get_weights()))
    assert any((a != b).any() for a, b in zip(*moved[0], strict=True))
    for a, b in zip(moved[0][1], moved[1][1], strict=True):
        np.testing.assert_array_equal(a, b)


def own(y_true, y_pred):
    return tf.reduce_sum(y_pred, axis=-1)


@keras.saving.register_keras_serializable(package="test_logit_losses")
class Own(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return tf.reduce_sum(y_pred, axis=-1)


@keras.saving.register_keras_serializable(package="test_logit_losses")
class OwnCall(Sparse):
    def call(self, y_true, y_pred):
        return super().call(y_true, tf.nn.softmax(y_pred))


@pytest.mark.parametrize(
    "loss",
    [own, Own(), OwnCall(), RelationScoreLoss(), lambda y, p: p[..., 0]],
)
def test_losses_of_ones_own_are_left_alone(loss):
    learner = Fixed(make_encoder())
    learner.compile("sgd", loss)
    assert learner.loss is loss


ONE_HOT = [
    "categorical_crossentropy",
    "CategoricalCrossentropy",
    "binary_crossentropy",
    "bce",
    "categorical_focal_crossentropy",
    "binary_focal_crossentropy",
    "kl_divergence",
    "KLD",
    "poisson",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "dice",
    "tversky",
    "circle",
    "ctc",
    "mse",
    "mean_squared_error",
    "MAE",
    "huber",
    "log_cosh",
    "cosine_similarity",
    keras.losses.categorical_crossentropy,
    keras.losses.CategoricalCrossentropy(),
    keras.losses.CategoricalFocalCrossentropy(from_logits=True),
    keras.losses.BinaryCrossentropy(),
    keras.losses.MeanSquaredError(),
    keras.losses.KLDivergence,
    keras.losses.serialize(keras.losses.CategoricalCrossentropy()),
    functools.partial(keras.losses.categorical_crossentropy, label_smoothing=0.1),
]


@pytest.mark.parametrize("loss", ONE_HOT)
def test_what_is_no_loss_of_logits_and_integers_is_refused(loss):
    learner = Fixed(make_encoder())
    line = r'`loss` must be .* Write loss="sparse_categorical_crossentropy".* Received:'
    for given in (loss, [loss]):
        with pytest.raises(ValueError, match=line) as caught:
            learner.compile("sgd", given)
        assert "\n" not in str(caught.value)


def test_a_loss_of_ones_own_that_moves_nothing_is_warned_of():
    sparse = keras.losses.sparse_categorical_crossentropy
    with pytest.warns(UserWarning, match="no gradient.*write from_logits=True"):
        Fixed(make_encoder()).compile("sgd", lambda y, logits: sparse(y, logits))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Fixed(make_encoder()).compile(
            "sgd", lambda y, logits: sparse(y, logits, from_logits=True)
        )
        # One that takes other shapes says so when it is called.
        Fixed(make_encoder()).compile("sgd", lambda y, logits: logits[0, 0, 0, 0])


def test_several_losses_are_refused():
    learner = Fixed(make_encoder())
    for losses in (["ce", "ce"], {"a": "ce", "b": Own()}, []):
        with pytest.raises(ValueError, match="`loss` must be one loss"):
            learner.compile("sgd", losses)


@pytest.mark.parametrize("loss", [TripletLoss(), ContrastiveLoss()])
def test_losses_of_embeddings_are_refused(loss):
    with pytest.raises(ValueError, match="Write SiameseNetwork.encoder, objective="):
        Fixed(make_encoder()).compile("sgd", loss)


def test_one_hot_losses_of_logits_need_one_hot_labels():
    """Keras' own refusal of the shapes, and right for labels that fit."""
    inputs, y, weight = batch()
    learner = Fixed(make_encoder())
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    learner.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
    with pytest.raises(ValueError, match="same rank"):
        learner.train_on_batch(inputs, y, weight)
    right = np.eye(WAYS, dtype="float32")[y]
    logs = learner.train_on_batch(inputs, right, weight, return_dict=True)
    expected, _ = by_hand(learner.logits.numpy(), y, weight, weight.sum())
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


# Metrics.


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("sparse_categorical_crossentropy", "sparse_categorical_crossentropy"),
        ("SparseCategoricalCrossentropy", "SparseCategoricalCrossentropy"),
        ("crossentropy", "crossentropy"),
        ("ce", "ce"),
        (SparseMetric, "sparse_categorical_crossentropy"),
        (
            keras.metrics.sparse_categorical_crossentropy,
            "sparse_categorical_crossentropy",
        ),
        (SparseMetric(name="mine", from_logits=True), "mine"),
        (keras.metrics.serialize(SparseMetric(name="mine")), "mine"),
    ],
)
@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
def test_metrics_read_logits(metric, name, argument):
    inputs, y, weight = batch()
    learner = Fixed(make_encoder())
    learner.compile("sgd", run_eagerly=True, **{argument: [[metric], "accuracy"]})
    logs = learner.test_on_batch(inputs, y, weight, return_dict=True)
    logits = learner.logits.numpy()
    expected, _ = by_hand(logits, y, weight, weight.sum())
    assert logs[name] == pytest.approx(expected, rel=1e-5)
    hits = (logits.argmax(-1) == y)[weight > 0]
    assert logs["accuracy"] == pytest.approx(hits.mean(), abs=1e-6)


@pytest.mark.parametrize(
    "metric",
    [
        "accuracy",
        "acc",
        "sparse_categorical_accuracy",
        keras.metrics.SparseCategoricalAccuracy(),
        keras.metrics.sparse_categorical_accuracy,
        keras.metrics.SparseTopKCategoricalAccuracy(1),
    ],
)
def test_accuracies_of_integers_stay(metric):
    inputs, y, weight = batch()
    learner = Fixed(make_encoder())
    learner.compile("sgd", metrics={"logits": [metric]}, run_eagerly=True)
    logs = learner.test_on_batch(inputs, y, weight, return_dict=True)
    (value,) = (value for name, value in logs.items() if name != "loss")
    hits = (learner.logits.numpy().argmax(-1) == y)[weight > 0]
    assert value == pytest.approx(hits.mean(), abs=1e-6)


@pytest.mark.parametrize(
    "metric",
    [
        "categorical_accuracy",
        "CategoricalAccuracy",
        "top_k_categorical_accuracy",
        "binary_accuracy",
        "categorical_crossentropy",
        "binary_crossentropy",
        "AUC",
        "precision",
        "Recall",
        "f1_score",
        "kl_divergence",
        "hinge",
        "mse",
        "mean_absolute_error",
        keras.metrics.Accuracy(),
        keras.metrics.AUC(from_logits=True),
        keras.metrics.MeanIoU(3),
        keras.metrics.categorical_accuracy,
        keras.losses.categorical_crossentropy,
        keras.losses.MeanSquaredError(),
    ],
)
def test_what_is_no_metric_of_logits_and_integers_is_refused(metric):
    with pytest.raises(ValueError, match=r"` must be .* Write .*Received: "):
        Fixed(make_encoder()).compile("sgd", metrics=[metric])


def test_a_metric_that_someone_holds_is_refused_and_not_replaced():
    with pytest.raises(ValueError, match=r"Write keras.metrics.Sparse.*\(from_logits"):
        Fixed(make_encoder()).compile("sgd", metrics=[SparseMetric()])


# Regression.


def regression():
    return MAML(make_encoder(), WAYS, task="regression", seed=0)


@pytest.mark.parametrize("loss", ["mse", "mean_squared_error", "MeanSquaredError"])
def test_regression_by_name_does_not_count_padding(loss):
    inputs, y, weight = batch()
    targets = np.random.default_rng(2).normal(size=(*y.shape, WAYS)).astype("float32")
    inputs["query_mask"] = weight > 0
    learner = regression()
    learner.compile("sgd", loss, metrics=["mae"], run_eagerly=True)
    found = learner.test_on_batch(inputs, targets, weight, return_dict=True)
    errors = learner(inputs).numpy().astype("float64") - targets
    real = weight > 0
    assert found["loss"] == pytest.approx(np.square(errors[real]).mean(), rel=1e-5)
    assert found["mae"] == pytest.approx(np.abs(errors[real]).mean(), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "sparse_categorical_crossentropy"},
        {"loss": "ce"},
        {"loss": Sparse(from_logits=True)},
        {"loss": "categorical_crossentropy"},
        {"loss": "binary_crossentropy"},
        {"loss": "kl_divergence"},
        {"loss": "poisson"},
        {"metrics": ["accuracy"]},
        {"metrics": ["sparse_categorical_accuracy"]},
        {"metrics": ["AUC"]},
    ],
)
def test_regressions_refuse_what_is_of_classes(options):
    line = 'of a regression.* Write (loss="|metrics=."])mean_squared_error"'
    line = line.replace('."]', r'\["')
    with pytest.raises(ValueError, match=line):
        regression().compile("sgd", **options)


# Files.


def test_a_file_of_before_is_read_as_of_logits(tmp_path):
    """As it was written when Keras' compile took what it was given."""
    learner = Fixed(make_encoder())
    keras.Model.compile(
        learner,
        keras.optimizers.Adam(0.25),
        "sparse_categorical_crossentropy",
        weighted_metrics=["accuracy", SparseMetric(name="mine")],
    )
    learner.optimizer.build(learner.trainable_variables)
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    inputs, y, weight = batch()
    logs = loaded.test_on_batch(inputs, y, weight, return_dict=True)
    expected, _ = by_hand(learner.logits.numpy(), y, weight, weight.sum())
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["mine"] == pytest.approx(expected, rel=1e-5)
    assert float(loaded.optimizer.learning_rate) == 0.25
    # And once more, as it is written now.
    loaded.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    assert again.test_on_batch(inputs, y, weight, return_dict=True) == logs


def test_a_file_with_a_loss_that_is_refused_says_how_to_load_it(tmp_path):
    learner = Fixed(make_encoder())
    keras.Model.compile(learner, "sgd", "mse")
    learner.save(tmp_path / "learner.keras")
    with pytest.raises(ValueError, match=r"load it by .*compile=False"):
        keras.saving.load_model(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras", compile=False)
    np.testing.assert_array_equal(loaded.logits, learner.logits)
