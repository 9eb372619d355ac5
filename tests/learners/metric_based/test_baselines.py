"""Heads of both baselines fitted once more in NumPy, and ordinary pre-training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import checks

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, as_supervised
from tfmeta.learners import Baseline, BaselinePlusPlus

BOTH = pytest.mark.parametrize("cls", [Baseline, BaselinePlusPlus])
# More rows than twice the features are fitted by feature, fewer by row.
SPACES = pytest.mark.parametrize("features", [3, 20])


def make_learner(cls, features=8, base_classes=6, dtype="float64", **arguments):
    """A learner whose encoder changes nothing."""
    encoder = keras.Sequential(
        [keras.Input((features,), dtype=dtype), keras.layers.Identity(dtype=dtype)]
    )
    return cls(encoder, base_classes, seed=0, dtype=dtype, **arguments)


def make_task(features, ways=3, support=9, seed=0):
    """Support embeddings of unequal shots, their labels, and queries."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(
        np.concatenate([np.arange(ways), rng.integers(0, ways, support - ways)])
    )
    return (
        rng.normal(size=(support, features)) + 0.5,
        labels,
        rng.normal(size=(5, features)),
    )


def logits_of(learner, support, one_hot, query, mask=None):
    state = learner.adapt_embeddings(
        tf.constant(support), tf.constant(one_hot), support_mask=mask
    )
    return learner.compare_embeddings(state, tf.constant(query)).numpy()


# The fit, derived once more: one row and one way at a time, plain loops.


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


class Descent:
    """`torch.optim.SGD(momentum=0.9, dampening=0.9, weight_decay=...)`."""

    def __init__(self, learning_rate, weight_decay):
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.buffers = None

    def step(self, parameters, gradients):
        gradients = [
            g + self.weight_decay * p
            for p, g in zip(parameters, gradients, strict=True)
        ]
        if self.buffers is None:
            self.buffers = gradients
        else:
            self.buffers = [
                0.9 * b + (1 - 0.9) * g
                for b, g in zip(self.buffers, gradients, strict=True)
            ]
        return [
            p - self.learning_rate * b
            for p, b in zip(parameters, self.buffers, strict=True)
        ]


def linear_by_hand(support, labels, query, ways, steps, descent):
    weights, bias = np.zeros((support.shape[1], ways)), np.zeros(ways)
    for _ in range(steps):
        by_weights, by_bias = np.zeros_like(weights), np.zeros_like(bias)
        for row, label in zip(support, labels, strict=True):
            slope = softmax(row @ weights + bias) - np.eye(ways)[label]
            by_weights += np.outer(row, slope) / len(support)
            by_bias += slope / len(support)
        weights, bias = descent.step([weights, bias], [by_weights, by_bias])
    return query @ weights + bias


def cosine_by_hand(support, labels, query, ways, steps, descent, scale=2.0):
    def unit(x):
        return x / np.linalg.norm(x)

    support = np.stack([unit(row) for row in support])
    vectors = [unit(support[labels == way].mean(axis=0)) for way in range(ways)]
    gains = np.ones(ways)
    for _ in range(steps):
        by_vectors = [np.zeros_like(v) for v in vectors]
        by_gains = np.zeros(ways)
        for row, label in zip(support, labels, strict=True):
            cosines = np.array([row @ unit(v) for v in vectors])
            slope = softmax(scale * gains * cosines) - np.eye(ways)[label]
            for way, vector in enumerate(vectors):
                length = np.linalg.norm(vector)
                # Derivative of a normalized vector.
                tangent = np.eye(len(row)) - np.outer(unit(vector), unit(vector))
                by_vectors[way] += (
                    slope[way] * scale * gains[way] * tangent @ row / length
                ) / len(support)
                by_gains[way] += slope[way] * scale * cosines[way] / len(support)
        *vectors, gains = descent.step([*vectors, gains], [*by_vectors, by_gains])
    directions = np.stack([unit(v) for v in vectors], axis=1)
    return scale * gains * (np.stack([unit(q) for q in query]) @ directions)


@SPACES
@pytest.mark.parametrize(
    ("cls", "by_hand"),
    [(Baseline, linear_by_hand), (BaselinePlusPlus, cosine_by_hand)],
)
def test_the_head_is_that_of_plain_loops(cls, by_hand, features):
    learner = make_learner(
        cls, features, head_steps=25, head_learning_rate=0.3, head_weight_decay=0.05
    )
    tasks = [make_task(features, seed=seed) for seed in range(2)]
    support, labels, query = (np.stack(part) for part in zip(*tasks, strict=True))
    found = logits_of(learner, support, np.eye(3)[labels], query)
    for task, (one_support, one_labels, one_query) in enumerate(tasks):
        expected = by_hand(
            one_support, one_labels, one_query, 3, 25, Descent(0.3, 0.05)
        )
        np.testing.assert_allclose(found[task], expected, rtol=1e-9, atol=1e-12)


@SPACES
@BOTH
def test_padding_and_the_order_of_classes(cls, features):
    learner = make_learner(cls, features, head_steps=10, head_learning_rate=0.3)
    support, labels, query = make_task(features)
    one_hot = np.eye(3)[labels]
    plain = logits_of(learner, support[None], one_hot[None], query[None])[0]
    order = [2, 0, 1]
    permuted = logits_of(learner, support[None], one_hot[None, :, order], query[None])
    np.testing.assert_allclose(permuted[0], plain[:, order], rtol=1e-9)

    rows = np.concatenate([support, np.full((2, features), np.nan)])
    claims = np.zeros((len(rows), 5))
    claims[: len(support), :3] = one_hot
    claims[len(support) :, 4] = 1  # of a way that has no real row
    mask = np.arange(len(rows)) < len(support)
    padded = logits_of(learner, rows[None], claims[None], query[None], mask[None])[0]
    np.testing.assert_allclose(padded[:, :3], plain, rtol=1e-9)
    assert np.all(np.isneginf(padded[:, 3:]))


@BOTH
def test_any_number_of_rows_in_one_graph(cls):
    learner = make_learner(cls, 3, head_steps=10, head_learning_rate=0.3)
    specs = [tf.TensorSpec([None, None, n], tf.float64) for n in (3, None, 3)]
    graph = tf.function(
        lambda s, y, q: learner.compare_embeddings(learner.adapt_embeddings(s, y), q),
        input_signature=specs,
    )
    for rows in (4, 9):
        support, labels, query = make_task(3, support=rows)
        parts = [p[None] for p in (support, np.eye(3)[labels], query)]
        np.testing.assert_allclose(graph(*parts), logits_of(learner, *parts), rtol=1e-9)


@BOTH
def test_it_separates_what_can_be_separated(cls):
    rng = np.random.default_rng(1)
    centres = 3.0 * np.eye(5, 8)
    labels = np.repeat(np.arange(5), 6)
    drawn = centres[labels] + rng.normal(0.0, 0.3, (2, 30, 8))
    learner = make_learner(cls, head_learning_rate=0.1)
    logits = logits_of(learner, drawn[:1], np.eye(5)[labels][None], drawn[1:])
    np.testing.assert_array_equal(logits[0].argmax(-1), labels)


def test_the_linear_head_ends_where_the_loss_is_least():
    """It is convex with weight decay: long descent meets scikit-learn's answer."""
    from sklearn.linear_model import LogisticRegression

    support, labels, query = make_task(4, support=12)
    learner = make_learner(
        Baseline, 4, head_steps=500, head_learning_rate=0.5, head_weight_decay=0.1
    )
    # The bias decays as well, as that of PyTorch's SGD: a feature of ones.
    with_ones = np.concatenate([support, np.ones((12, 1))], axis=1)
    best = LogisticRegression(
        C=1 / (0.1 * 12), fit_intercept=False, tol=1e-10, max_iter=1000
    ).fit(with_ones, labels)
    expected = best.predict_proba(np.concatenate([query, np.ones((5, 1))], axis=1))
    logits = logits_of(learner, support[None], np.eye(3)[labels][None], query[None])
    np.testing.assert_allclose(tf.nn.softmax(logits[0]), expected, atol=1e-6)


def test_without_learning_the_cosine_head_compares_with_class_means():
    support, labels, query = make_task(8)
    learner = make_learner(
        BaselinePlusPlus, head_steps=1, head_learning_rate=1e-12, head_weight_decay=0.0
    )
    found = logits_of(learner, support[None], np.eye(3)[labels][None], query[None])
    expected = cosine_by_hand(support, labels, query, 3, 0, None)
    np.testing.assert_allclose(found[0], expected, rtol=1e-9)


def test_embeddings_without_a_direction_stay_finite():
    learner = make_learner(BaselinePlusPlus)
    support = np.zeros((1, 4, 8))
    support[0, 2:] = [[1.0] * 8, [-1.0] * 8]
    one_hot = np.eye(2)[[0, 0, 1, 1]][None]
    assert np.all(np.isfinite(logits_of(learner, support, one_hot, support)))


# Training on base classes.


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(16, 8)).astype("float32")
    labels = np.repeat(np.arange(16), 20)
    noise = rng.normal(0.0, 0.4, (320, 8)).astype("float32")
    names = [f"class{i:02d}" for i in labels]
    table = ClassTable.from_arrays("toy", centres[labels] + noise, names)
    return table.take_classes(range(10)), table.take_classes(range(10, 16))


def trainable(cls):
    kernel = keras.initializers.GlorotUniform(seed=1)
    encoder = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, "tanh", kernel_initializer=kernel),
        ]
    )
    return cls(encoder, 10, seed=2, head_steps=20, head_learning_rate=0.3)


@pytest.mark.parametrize(
    "cls", [pytest.param(Baseline, marks=pytest.mark.slow), BaselinePlusPlus]
)
def test_trains_on_examples_and_validates_on_episodes(cls, tables, tmp_path):
    train, validation = tables
    episodes = Episodes(validation, ways=3, shots=2, queries=5, tasks=8)
    learner = trainable(cls)
    learner.compile(keras.optimizers.Adam(0.02))
    history = learner.fit(
        as_supervised(train, batch_size=40, seed=0, epochs=None),
        steps_per_epoch=20,
        epochs=4,
        validation_data=episodes.as_dataset(steps=4),
        verbose=0,
    ).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["accuracy"][-1] > 0.8 > history["accuracy"][0]
    assert history["val_accuracy"][-1] > 0.6

    batch = next(iter(as_supervised(train, batch_size=200)))
    logits = learner(batch[0])
    assert logits.shape == (200, 10)
    right = np.mean(np.argmax(logits, -1) == batch[1])
    scores = learner.evaluate(*batch, verbose=0, return_dict=True)
    assert scores["accuracy"] == pytest.approx(right, abs=1e-6)
    assert learner.predict(batch[0], verbose=0).shape == (200, 10)

    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    np.testing.assert_array_equal(loaded(batch[0]), logits)
    inputs, _ = episodes.batch(0)
    np.testing.assert_array_equal(loaded(inputs), learner(inputs))


@BOTH
def test_a_seed_gives_the_same_base_head(cls, tables):
    first, again = trainable(cls), trainable(cls)
    other = cls(first.encoder, 10, seed=3)
    weights = [m.base_head.get_weights()[0] for m in (first, again, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_the_scale_of_the_base_classes_follows_their_number():
    scales = [
        make_learner(BaselinePlusPlus, base_classes=n).base_head.scale
        for n in (200, 201)
    ]
    assert scales == [2.0, 10.0]
    assert make_learner(BaselinePlusPlus, scale=5).base_head.scale == 5.0


@BOTH
@pytest.mark.parametrize(
    "argument",
    [
        {"base_classes": 0},
        {"head_steps": 0},
        {"head_learning_rate": 0.0},
        {"head_learning_rate": float("nan")},
        {"head_weight_decay": -1.0},
        {"seed": -1},
    ],
    ids=lambda a: str(a),
)
def test_mistakes_are_named(cls, argument):
    ((name, value),) = argument.items()
    encoder = keras.Sequential([keras.Input((2,))])
    with pytest.raises(ValueError, match=f"`{name}` must be.*{name}={value}"):
        cls(encoder, **{"base_classes": 3, **argument})


@pytest.mark.parametrize("name", ["scale", "head_scale"])
def test_scales_are_positive(name):
    with pytest.raises(ValueError, match=f"`{name}` must be above 0.*{name}=0"):
        make_learner(BaselinePlusPlus, **{name: 0})


@BOTH
def test_the_encoder_gives_vectors(cls):
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(ValueError, match=r"vectors.*\(None, 2, 2, 2\)"):
        cls(encoder, 3)


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
@pytest.mark.parametrize("check", checks(()))
@BOTH
def test_conforms(cls, check):
    def make(example_shape, ways):
        kernel = keras.initializers.GlorotUniform(seed=1)
        encoder = keras.Sequential(
            [
                keras.Input(example_shape),
                keras.layers.Dense(4, "tanh", kernel_initializer=kernel),
            ]
        )
        return cls(encoder, 6, head_steps=3, head_learning_rate=0.5, seed=2)

    check(make)
