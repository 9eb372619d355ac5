"""Class maps, scores and loss, derived once more in NumPy."""

import keras
import numpy as np
import pytest
import relation_by_hand
import tensorflow as tf

from tfmeta import export
from tfmeta.datasets import ClassTable
from tfmeta.encoders import Conv4
from tfmeta.episodes import Episodes
from tfmeta.evaluation import evaluate
from tfmeta.learners import RelationNetwork
from tfmeta.losses import RelationScoreLoss

SHAPE = (4, 4, 2)


def make_learner(dtype="float64", **options):
    kernel = keras.initializers.GlorotUniform(seed=1)
    inputs = keras.Input(SHAPE, dtype=dtype)
    x = keras.layers.Conv2D(
        2, 3, padding="same", kernel_initializer=kernel, dtype=dtype
    )(inputs)
    x = keras.layers.Activation("tanh", dtype=dtype)(x)
    options = {"relation_filters": 3, "relation_units": 4, "seed": 0, **options}
    return RelationNetwork(keras.Model(inputs, x), dtype=dtype, **options)


def make_inputs():
    """Two tasks of three ways, unequal shots; the third way of one is absent."""
    rng = np.random.default_rng(2)
    labels = np.array([[0, 1, 1, 2, 0, 1], [1, 0, 0, 1, 0, 2]])
    inputs = {
        "support": rng.normal(size=(2, 6, *SHAPE)).astype("float32"),
        "support_labels": np.eye(3, dtype="float32")[labels],
        "support_mask": np.array([[1] * 6, [1] * 5 + [0]], bool),
        "query": rng.normal(size=(2, 4, *SHAPE)).astype("float32"),
        "query_mask": np.array([[1, 1, 1, 1], [1, 1, 0, 1]], bool),
    }
    return inputs, np.array([[0, 1, 2, 2], [1, 0, 0, 1]], "int32")


def logits_by_hand(learner, inputs, *, training=False):
    def embed(examples):
        kernel, bias = learner.encoder.get_weights()
        flat = examples.reshape(-1, *SHAPE).astype("float64")
        maps = np.tanh(relation_by_hand.convolve(flat, kernel) + bias)
        return maps.reshape(*examples.shape[:2], *SHAPE)

    support, queries = embed(inputs["support"]), embed(inputs["query"])
    combine = np.mean if learner.class_map == "mean" else np.sum
    places, of_class, of_query = [], [], []
    for task, query, way in np.ndindex(2, 4, 3):
        rows = inputs["support_labels"][task, :, way] > 0
        rows &= inputs["support_mask"][task]
        if rows.any() and inputs["query_mask"][task, query]:
            places.append((task, query, way))
            of_class.append(combine(support[task, rows], axis=0))
            of_query.append(queries[task, query])
    logits = np.full((2, 4, 3), -np.inf)
    logits[tuple(np.transpose(places))] = relation_by_hand.scores_of_pairs(
        learner.relation_module,
        np.array(of_class),
        np.array(of_query),
        training=training,
    )
    return logits


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("class_map", ["mean", "sum"])
def test_logits(class_map, training):
    learner = make_learner(class_map=class_map)
    inputs, _ = make_inputs()
    real = inputs["query_mask"]
    expected = logits_by_hand(learner, inputs, training=training)
    logits = learner(inputs, training=training)
    assert logits.dtype == tf.float64
    np.testing.assert_allclose(logits.numpy()[real], expected[real], rtol=1e-9)
    state = learner.adapt(
        inputs["support"],
        inputs["support_labels"],
        support_mask=inputs["support_mask"],
    )
    apart = learner.predict_query(
        state, inputs["query"], query_mask=real, training=training
    )
    expected = logits_by_hand(learner, inputs, training=training)
    np.testing.assert_allclose(apart.numpy()[real], expected[real], rtol=1e-9)


def test_objective_is_the_papers():
    learner = make_learner()
    inputs, y = make_inputs()
    learner.compile(keras.optimizers.SGD(0.0))
    assert type(learner.loss) is RelationScoreLoss
    weight = inputs["query_mask"].astype("float32")
    scores = 1 / (1 + np.exp(-logits_by_hand(learner, inputs, training=True)))
    total, count = 0.0, 0
    for task, query in zip(*np.nonzero(inputs["query_mask"]), strict=True):
        ways = 3 if task == 0 else 2
        right = np.arange(ways) == y[task, query]
        total += np.mean((scores[task, query, :ways] - right) ** 2)
        count += 1
    logs = learner.train_on_batch(inputs, y, weight, return_dict=True)
    assert abs(logs["loss"] - total / count) < 1e-6


def test_cross_entropy_can_be_chosen():
    learner = make_learner(objective="cross_entropy")
    learner.compile()
    assert isinstance(learner.loss, keras.losses.SparseCategoricalCrossentropy)


def test_classes_and_queries_in_another_order():
    learner = make_learner()
    inputs, _ = make_inputs()
    logits = learner(inputs).numpy()
    moved = {
        **inputs,
        "support_labels": inputs["support_labels"][..., [2, 0, 1]],
        "query": inputs["query"][:, ::-1],
        "query_mask": inputs["query_mask"][:, ::-1],
    }
    np.testing.assert_allclose(
        learner(moved).numpy(), logits[:, ::-1][..., [2, 0, 1]], rtol=1e-12
    )


def test_the_mean_does_not_grow_with_the_shots():
    support = np.random.default_rng(0).normal(size=(1, 2, *SHAPE)).astype("float32")
    labels = np.eye(2, dtype="float32")[None]
    for class_map, factor in (("mean", 1), ("sum", 3)):
        learner = make_learner(class_map=class_map)
        once = learner.adapt(support, labels)["class_maps"]
        thrice = learner.adapt(
            np.tile(support, (1, 3, 1, 1, 1)), np.tile(labels, (3, 1))
        )
        np.testing.assert_allclose(thrice["class_maps"], factor * once, rtol=1e-12)


@pytest.fixture(scope="module")
def pictures():
    """Eight classes of bright squares on noise."""
    rng = np.random.default_rng(0)
    examples = rng.integers(0, 60, size=(8, 8, 16, 16, 1))
    for i in range(8):
        row, column = divmod(i, 3)
        examples[i, :, 5 * row : 5 * row + 5, 5 * column : 5 * column + 5] += 150
    labels = np.repeat([f"class_{i}" for i in range(8)], 8)
    flat = examples.reshape(-1, 16, 16, 1).astype("uint8")
    return ClassTable.from_arrays("squares", flat, labels)


@pytest.fixture(scope="module")
def trained(pictures):
    encoder = Conv4((16, 16, 1), filters=8, pooled_blocks=2, flatten=False, seed=0)
    learner = RelationNetwork(encoder, relation_filters=8, seed=0)
    learner.compile(keras.optimizers.Adam(1e-2))
    learner.fit(
        Episodes(pictures, ways=5, shots=1, queries=4).as_dataset(),
        steps_per_epoch=40,
        shuffle=False,
        verbose=0,
    )
    return learner


@pytest.mark.slow
def test_learns_and_encodes_once(pictures, trained):
    results = [
        evaluate(
            trained,
            Episodes(pictures, ways=5, shots=2, queries=3, tasks=20),
            num_episodes=600,
            seen_classes=[],
            encode_once=once,
        )
        for once in (True, False)
    ]
    assert results[0].accuracy > 0.9
    # Rounding may decide between two scores that are equal.
    assert abs(results[0].accuracy - results[1].accuracy) < 1e-3


@pytest.mark.slow
def test_export_embeds_maps(pictures, trained, tmp_path):
    folder = export.save(trained, tmp_path / "relation")
    served = tf.saved_model.load(str(folder)).signatures
    examples = pictures.examples[:6]
    embeddings = served["embed"](examples=examples)["embeddings"]
    assert embeddings.shape == (6, 4, 4, 8)
    np.testing.assert_allclose(embeddings, trained.encoder(examples), atol=1e-5)
    answer = served["classify"](
        support=pictures.examples[::16],
        support_labels=tf.range(4),
        query=pictures.examples[1::16],
    )["probabilities"]
    np.testing.assert_array_equal(tf.argmax(answer, axis=-1), range(4))
    none = served["classify"](
        support=pictures.examples[::16],
        support_labels=tf.range(4),
        query=pictures.examples[:0],
    )["probabilities"]
    assert none.shape == (0, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "hinge"}, "`objective` must be one of mean.*'hinge'"),
        ({"class_map": "max"}, "`class_map` must be one of mean, sum.*'max'"),
        ({"relation_filters": 0}, "`relation_filters`.*at least 1.*=0"),
        ({"relation_units": 2.5}, "`relation_units` must be an int.*2.5"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_learner(**options)


@pytest.mark.parametrize("shape", [(None, None, 1), (8,)])
def test_encoder_must_give_maps_of_a_fixed_size(shape):
    inputs = keras.Input(shape)
    with pytest.raises(ValueError, match=r"`encoder`.*maps of a fixed size.*Received"):
        RelationNetwork(keras.Model(inputs, keras.layers.Identity()(inputs)))
