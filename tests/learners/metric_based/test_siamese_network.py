"""Logits and objectives, derived once more in NumPy, one pair at a time."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta import distances
from tfmeta.encoders import KochConvNet
from tfmeta.learners import SiameseNetwork
from tfmeta.losses import ContrastiveLoss, TripletLoss

VARIANTS = [
    {},
    {"objective": "contrastive", "margin": 2.0},
    {"objective": "contrastive", "distance": "cosine"},
    {"objective": "triplet", "mining": "hard"},
    {"objective": "triplet", "mining": "all", "distance": "squared_euclidean"},
]
NAMES = ["verification", "contrastive", "cosine", "hard", "all"]


def make_learner(**arguments):
    encoder = keras.Sequential(
        [
            keras.Input((3, 2), dtype="float64"),
            keras.layers.Flatten(dtype="float64"),
            keras.layers.Dense(5, "tanh", dtype="float64"),
        ]
    )
    rng = np.random.default_rng(1)
    encoder.set_weights([rng.normal(size=w.shape) for w in encoder.weights])
    learner = SiameseNetwork(encoder, dtype="float64", **arguments)
    if learner.head is not None:
        learner.head.set_weights([rng.normal(size=5), np.array(0.3)])
    return learner


def make_episode(seed=2, tasks=2, support=9, queries=5, ways=3):
    """Two tasks whose classes have unequal shots, with some rows padded."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(ways), rng.integers(0, ways, support - ways)])
    labels = np.stack([rng.permutation(labels) for _ in range(tasks)])
    inputs = {
        "support": rng.normal(size=(tasks, support, 3, 2)),
        "support_labels": np.eye(ways)[labels],
        "query": rng.normal(size=(tasks, queries, 3, 2)),
        "support_mask": rng.random((tasks, support)) < 0.8,
        "query_mask": rng.random((tasks, queries)) < 0.8,
    }
    return inputs, labels, rng.integers(0, ways, (tasks, queries))


def embed(learner, examples):
    kernel, bias = learner.encoder.get_weights()
    return np.tanh(examples.reshape(*examples.shape[:2], -1) @ kernel + bias)


def distance_by_hand(learner, a, b):
    """Of the learner's distance; for the cosine, 1 − cosine."""
    name = type(learner.pair_loss.distance).__name__
    if name == "Cosine":
        return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    square = np.sum((a - b) ** 2)
    return square if name == "SquaredEuclidean" else np.sqrt(square)


def similarity_by_hand(learner, a, b):
    if learner.head is not None:
        alpha, bias = learner.head.get_weights()
        return bias + np.sum(alpha * np.abs(a - b))
    distance = distance_by_hand(learner, a, b)
    cosine = isinstance(learner.pair_loss.distance, distances.Cosine)
    return 1 - distance if cosine else -distance


def logits_by_hand(learner, inputs, labels, ways):
    support, query = embed(learner, inputs["support"]), embed(learner, inputs["query"])
    logits = np.full((*query.shape[:2], ways), -np.inf)
    for task, way in itertools.product(range(len(query)), range(ways)):
        rows = support[task][(labels[task] == way) & inputs["support_mask"][task]]
        if learner.k_shot == "mean" and len(rows):
            rows = rows.mean(0, keepdims=True)
        for i, vector in enumerate(query[task]):
            for row in rows:
                alike = similarity_by_hand(learner, vector, row)
                logits[task, i, way] = max(logits[task, i, way], alike)
    return logits


def objective_by_hand(learner, inputs, labels, y):
    """Over all pairs, or triplets, of the real examples of each task."""
    kinds = {True: [], False: []}
    triplets = []
    for task in range(len(y)):
        parts = [
            (embed(learner, inputs[name])[task], inputs[f"{name}_mask"][task])
            for name in ("support", "query")
        ]
        rows = np.concatenate([vectors[mask] for vectors, mask in parts])
        classes = np.concatenate([labels[task][parts[0][1]], y[task][parts[1][1]]])
        pairs = list(itertools.permutations(range(len(rows)), 2))
        alike = {(i, j): bool(classes[i] == classes[j]) for i, j in pairs}
        if learner.head is not None:
            for i, j in pairs:
                chance = similarity_by_hand(learner, rows[i], rows[j])
                chance = 1 / (1 + np.exp(-chance))
                right = chance if alike[i, j] else 1 - chance
                kinds[alike[i, j]].append(-np.log(right))
            continue
        margin = learner.pair_loss.margin
        d = {(i, j): distance_by_hand(learner, rows[i], rows[j]) for i, j in pairs}
        for i, j in pairs:
            cost = d[i, j] if alike[i, j] else max(0, margin - d[i, j])
            kinds[alike[i, j]].append(cost**2)
        for a in range(len(rows)):
            near = [d[a, p] for p in range(len(rows)) if p != a and alike[a, p]]
            far = [d[a, n] for n in range(len(rows)) if n != a and not alike[a, n]]
            if learner.mining == "hard" and near and far:
                near, far = [max(near)], [min(far)]
            triplets += [max(0, p - n + margin) for p in near for n in far]
    if isinstance(learner.pair_loss, TripletLoss):
        return np.mean(triplets)
    return 0.5 * np.mean(kinds[True]) + 0.5 * np.mean(kinds[False])


@pytest.mark.parametrize("k_shot", ["nearest", "mean"])
@pytest.mark.parametrize("arguments", VARIANTS, ids=NAMES)
def test_logits(arguments, k_shot):
    learner = make_learner(k_shot=k_shot, **arguments)
    inputs, labels, _ = make_episode()
    # The fourth way is absent, and task 0 loses all support of class 1.
    inputs["support_mask"][0] &= labels[0] != 1
    inputs["support_labels"] = np.eye(4)[labels]
    state = learner.adapt(
        inputs["support"],
        inputs["support_labels"],
        support_mask=inputs["support_mask"],
    )
    logits = learner.predict_query(state, inputs["query"]).numpy()
    expected = logits_by_hand(learner, inputs, labels, 4)
    np.testing.assert_allclose(logits, expected, rtol=1e-9)
    assert np.isneginf(logits[0, :, [1, 3]]).all()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(
            arguments,
            id=name,
            marks=() if name in ("verification", "contrastive") else pytest.mark.slow,
        )
        for name, arguments in zip(NAMES, VARIANTS, strict=True)
    ],
)
def test_the_objective_is_the_loss_of_training_and_of_validation(arguments):
    learner = make_learner(**arguments)
    # Unequal numbers of pairs in the two tasks.
    inputs, labels, y = make_episode(seed=3)
    expected = objective_by_hand(learner, inputs, labels, y)
    weight = inputs["query_mask"].astype("float32")
    learner.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    logits = logits_by_hand(learner, inputs, labels, 3)
    accuracy = np.sum((logits.argmax(-1) == y) * weight) / weight.sum()
    for step in (learner.train_on_batch, learner.test_on_batch):
        for sample_weight in (weight, None):
            logs = step(inputs, y, sample_weight, return_dict=True)
            assert logs["loss"] == pytest.approx(expected, rel=1e-6)
        logs = step(inputs, y, weight, return_dict=True)
        assert logs["accuracy"] == pytest.approx(accuracy, rel=1e-5)


def test_training_makes_alike_more_alike():
    """Turned round, the objective would rise for what the head knows already."""
    learner = make_learner()
    learner.head.set_weights([np.full(5, -1.0), np.array(1.0)])
    learner.compile(keras.optimizers.SGD(0.0))
    inputs, labels, _ = make_episode(queries=9)
    inputs["query"] = inputs["support"] + 1e-3
    for name in ("support_mask", "query_mask"):
        inputs[name] = np.ones(labels.shape, bool)
    right = learner.test_on_batch(inputs, labels, return_dict=True)
    wrong = learner.test_on_batch(inputs, (labels + 1) % 3, return_dict=True)
    assert right["accuracy"] == 1.0
    assert wrong["accuracy"] == 0.0
    assert right["loss"] < wrong["loss"]


def test_classes_of_different_tasks_make_no_pair():
    """Twice the same task, or with its classes numbered in another way."""
    learner = make_learner()
    learner.compile(keras.optimizers.SGD(0.0))
    inputs, _, y = make_episode(tasks=1)
    losses = []
    for shift in (0, 1):
        labels = np.roll(inputs["support_labels"], shift, axis=2)
        turned = {**inputs, "support_labels": labels}
        batch = {n: np.concatenate([inputs[n], turned[n]]) for n in inputs}
        labels = np.concatenate([y, (y + shift) % 3])
        losses.append(learner.test_on_batch(batch, labels, return_dict=True)["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_given_loss_takes_the_place_of_the_objective():
    learner = make_learner()
    inputs, labels, y = make_episode()
    inputs["support_mask"][:] = True
    learner.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
    )
    weight = inputs["query_mask"].astype("float32")
    logits = logits_by_hand(learner, inputs, labels, 3)
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    costs = -np.log(np.take_along_axis(chances, y[..., None], -1)[..., 0])
    expected = np.sum(costs * weight) / weight.sum()
    logs = learner.train_on_batch(inputs, y, weight, return_dict=True)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_regularization_of_the_encoder_is_part_of_the_loss():
    losses = []
    for factor in (0.0, 0.5):
        encoder = keras.Sequential(
            [
                keras.Input((6,)),
                keras.layers.Dense(
                    3,
                    kernel_initializer="ones",
                    kernel_regularizer=keras.regularizers.L2(factor),
                ),
            ]
        )
        learner = SiameseNetwork(encoder)
        learner.compile("sgd")
        inputs, _, y = make_episode()
        flat = {
            n: x.reshape(*x.shape[:2], 6) if x.ndim == 4 else x
            for n, x in inputs.items()
        }
        losses.append(learner.test_on_batch(flat, y, return_dict=True)["loss"])
    assert losses[1] - losses[0] == pytest.approx(0.5 * 18, rel=1e-5)


@keras.saving.register_keras_serializable(package="tfmeta_tests")
class Counted(keras.layers.Layer):
    """Counts how often rows pass, and how many."""

    seen: list = []

    def call(self, inputs):
        if tf.executing_eagerly() and inputs.shape[0] is not None:
            self.seen.append(int(inputs.shape[0]))
        return inputs


@pytest.mark.parametrize("objective", ["verification", "triplet"])
def test_every_example_is_encoded_once(objective):
    encoder = keras.Sequential(
        [keras.Input((3, 2)), Counted(), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    learner = SiameseNetwork(encoder, objective)
    learner.compile("sgd", run_eagerly=True)
    inputs, _, y = make_episode()
    del inputs["support_mask"], inputs["query_mask"]
    learner.train_on_batch(inputs, y)
    Counted.seen.clear()
    learner.train_on_batch(inputs, y)
    assert Counted.seen == [2 * (9 + 5)]


@pytest.mark.slow
def test_the_papers_network_has_its_parameters():
    """The encoder's, a weight of each of 4,096 features, and one bias."""
    learner = SiameseNetwork(KochConvNet(seed=0))
    assert learner.count_params() == 38_951_745


@pytest.mark.parametrize(
    "arguments",
    [
        *VARIANTS,
        {"objective": TripletLoss(0.3, distance="cosine"), "k_shot": "mean"},
        {"objective": "contrastive", "distance": distances.Cosine()},
    ],
)
def test_config(arguments):
    learner = make_learner(**arguments)
    config = learner.get_config()
    again = SiameseNetwork.from_config(config)
    assert again.get_config() == config
    assert again.compute_dtype == "float64"
    again.set_weights(learner.get_weights())
    inputs, _, _ = make_episode()
    np.testing.assert_array_equal(again(inputs), learner(inputs))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"objective": "hinge"}, ValueError, "`objective`.*verification.*'hinge'"),
        ({"objective": 3}, TypeError, "`objective`.*tfmeta.losses.*3"),
        ({"objective": keras.losses.MeanSquaredError()}, TypeError, "`objective`"),
        ({"k_shot": "median"}, ValueError, "`k_shot`.*nearest.*'median'"),
        ({"margin": 1.0}, ValueError, "`margin`.*'verification'.*none.*margin=1.0"),
        (
            {"objective": "contrastive", "mining": "hard"},
            ValueError,
            "`mining`.*'contrastive'.*margin, distance.*'hard'",
        ),
        (
            {"objective": ContrastiveLoss(), "distance": "cosine"},
            ValueError,
            "`distance`.*'a loss object'",
        ),
        ({"objective": "triplet", "margin": -1.0}, ValueError, "`margin`.*-1.0"),
        ({"objective": "triplet", "distance": "l3"}, ValueError, "`distance`.*'l3'"),
    ],
)
def test_what_is_no_siamese_network_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        make_learner(**arguments)


def test_encoder_must_give_vectors():
    inputs = keras.Input((8, 8, 1))
    encoder = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    with pytest.raises(ValueError, match=r"vectors.*Received:.*\(None, 6, 6, 2\)"):
        SiameseNetwork(encoder)
