"""Every public learner passes NaN and infinity on, also through real encoders."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta.learners
from tfmeta.encoders import Conv4
from tfmeta.learners import (
    ANIL,
    MAML,
    SNAIL,
    Baseline,
    BaselinePlusPlus,
    EmbeddingLearner,
    FewShotLearner,
    GaussianPrototypicalNetwork,
    GradientBasedLearner,
    LogisticRegression,
    LSTMMetaLearner,
    MAMLPlusPlus,
    MatchingNetwork,
    MemoryAugmentedNetwork,
    MemoryLearner,
    MetaNetworks,
    MetaSGD,
    PrototypicalNetwork,
    RelationNetwork,
    Reptile,
    SemiSupervisedPrototypicalNetwork,
    SequenceLearner,
    SiameseNetwork,
    SimpleShot,
    StandardizedLearner,
    ZeroShotPrototypicalNetwork,
)
from tfmeta.testing.checks_not_a_number import check_not_a_number

PICTURE = (8, 8, 1)


def dense(shape, outputs=4):
    """With rectifiers, which could take NaN for what is not above 0."""
    kernels = [keras.initializers.GlorotUniform(seed=i) for i in (1, 2)]
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(8, "relu", kernel_initializer=kernels[0]),
            keras.layers.Dense(outputs, kernel_initializer=kernels[1]),
        ]
    )


def pooled(shape, **options):
    """With maximum pooling, which takes NaN for the least number there is."""
    return Conv4(shape, filters=3, blocks=2, rescale=None, seed=0, **options)


def steps(kind, **arguments):
    known = {"inner_steps": 2, "inner_learning_rate": 0.1, "seed": 0, **arguments}
    if known.get("head") == "prototypes":
        return lambda shape, ways: kind(dense(shape), None, **known)
    return lambda shape, ways: kind(dense(shape), ways, **known)


VECTORS = {
    **{
        f"prototypical {distance}": lambda shape, ways, d=distance: PrototypicalNetwork(
            dense(shape), d
        )
        for distance in ("squared_euclidean", "euclidean", "cosine")
    },
    **{
        f"gaussian {c}": lambda shape, ways, c=c: GaussianPrototypicalNetwork(
            dense(shape), c
        )
        for c in ("radius", "diagonal")
    },
    **{
        f"{form} of {source}": (
            lambda shape, ways, f=form, s=source: SemiSupervisedPrototypicalNetwork(
                dense(shape), f, unlabelled_from=s
            )
        )
        for form, source in (
            ("soft_k_means", "queries"),
            ("soft_k_means_with_distractor", "unlabelled"),
            ("masked_soft_k_means", "queries"),
        )
    },
    "matching": lambda shape, ways: MatchingNetwork(dense(shape)),
    "matching euclidean": lambda shape, ways: MatchingNetwork(
        dense(shape), "euclidean"
    ),
    "full context": lambda shape, ways: MatchingNetwork(
        dense(shape), full_context=True, steps=1, seed=0
    ),
    "verification": lambda shape, ways: SiameseNetwork(dense(shape)),
    "contrastive of means": lambda shape, ways: SiameseNetwork(
        dense(shape), "contrastive", k_shot="mean"
    ),
    "triplet": lambda shape, ways: SiameseNetwork(
        dense(shape), "triplet", distance="cosine", mining="hard"
    ),
    "zero-shot": lambda shape, ways: ZeroShotPrototypicalNetwork(
        dense(shape), dense(shape)
    ),
    "simple_shot": lambda shape, ways: SimpleShot(dense(shape)),
    "logistic_regression": lambda shape, ways: LogisticRegression(dense(shape)),
    "baseline": lambda shape, ways: Baseline(dense(shape), 3, head_steps=5, seed=0),
    "baseline++": lambda shape, ways: BaselinePlusPlus(
        dense(shape), 3, head_steps=5, seed=0
    ),
    "maml": steps(MAML),
    "maml of prototypes": steps(MAML, head="prototypes"),
    "vectorized maml": steps(MAML, vectorize_tasks=True),
    "anil": steps(ANIL),
    "meta_sgd": steps(MetaSGD),
    "maml_plus_plus": steps(MAMLPlusPlus),
    "lstm": lambda shape, ways: LSTMMetaLearner(
        dense(shape), ways, inner_steps=2, units=3, seed=0
    ),
    "reptile": steps(Reptile, inner_batch_size=None, test_inner_steps=2),
    "memory": lambda shape, ways: MemoryAugmentedNetwork(
        dense(shape), ways, units=5, slots=6, width=3, heads=2, seed=0
    ),
    "meta networks": lambda shape, ways: MetaNetworks(
        dense(shape), ways, filters=3, features=4, units=3, seed=0
    ),
    "snail": lambda shape, ways: SNAIL(dense(shape), ways, seed=0),
}
# Whose rows are many operations.
MEMORIES = ("memory", "meta networks", "snail")
PICTURES = {
    "relation": lambda shape, ways: RelationNetwork(
        pooled(shape, pooled_blocks=0, flatten=False),
        relation_filters=3,
        relation_units=2,
        seed=0,
    ),
    "prototypical": lambda shape, ways: PrototypicalNetwork(pooled(shape)),
    "siamese": lambda shape, ways: SiameseNetwork(pooled(shape)),
    "baseline": lambda shape, ways: Baseline(pooled(shape), 3, head_steps=5, seed=0),
    **{
        f"{kind.__name__} {statistics}": (
            lambda shape, ways, kind=kind, s=statistics: kind(
                pooled(shape), ways, inner_steps=1, batch_normalization=s, seed=0
            )
        )
        for kind, statistics in (
            (MAML, "query_batch"),
            (MAML, "support"),
            (ANIL, "running"),
        )
    },
    "meta networks": lambda shape, ways: MetaNetworks(
        pooled(shape, pooled_blocks=0, flatten=False),
        ways,
        filters=3,
        blocks=2,
        features=4,
        units=3,
        seed=0,
    ),
}


def _named_by(make):
    """What a maker refers to: globals, and what it was made with."""
    names = inspect.getclosurevars(make)
    return [
        value
        for value in (*names.globals.values(), *names.nonlocals.values())
        if inspect.isclass(value)
    ]


def test_all_public_learners_are_looked_at():
    abstract = {FewShotLearner, EmbeddingLearner, GradientBasedLearner}
    abstract |= {MemoryLearner, SequenceLearner}
    # Of regression, around another: tests/learners/test_standardized_learner.py.
    around = {StandardizedLearner}
    public = {
        value
        for name in tfmeta.learners.__all__
        if inspect.isclass(value := getattr(tfmeta.learners, name))
    }
    named = {
        value
        for make in (*VECTORS.values(), *PICTURES.values())
        for value in _named_by(make)
    }
    assert public - abstract - around <= named


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.exhaustive) if n in MEMORIES else n
        for n in VECTORS
    ],
)
def test_of_vectors(name):
    check_not_a_number(VECTORS[name], example_shape=(4,))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.exhaustive)
        if name in MEMORIES
        else pytest.param(name, marks=pytest.mark.slow)
        if name in ("MAML support", "ANIL running")
        else name
        for name in PICTURES
    ],
)
def test_of_pictures(name):
    check_not_a_number(PICTURES[name], example_shape=PICTURE)


def picture_episode():
    rng = np.random.default_rng(0)
    support = rng.normal(size=(2, 6, *PICTURE)).astype("float32")
    labels = np.tile(np.repeat(np.eye(3, dtype="float32"), 2, axis=0), (2, 1, 1))
    return support, labels, rng.normal(size=(2, 4, *PICTURE)).astype("float32")


@pytest.mark.parametrize("place", range(10))
def test_every_weight_of_a_pooled_encoder(place):
    """Moving statistics included."""
    learner = PrototypicalNetwork(pooled(PICTURE))
    support, labels, query = picture_episode()
    weight = learner.encoder.weights[place]
    values = weight.numpy()
    values.flat[-1] = np.nan
    weight.assign(values)
    logits = learner.predict_query(learner.adapt(support, labels), query)
    assert np.isnan(logits).all()


@pytest.mark.slow
def test_every_weight_of_the_relation_module():
    support, labels, query = picture_episode()
    learner = PICTURES["relation"](PICTURE, 3)
    state = learner.adapt(support, labels)
    start = learner.get_weights()
    assert np.isfinite(learner.predict_query(state, query)).all()
    for weight in learner.relation_module.weights:
        values = weight.numpy()
        values.flat[0] = np.nan
        weight.assign(values)
        assert np.isnan(learner.predict_query(state, query)).all(), weight.path
        learner.set_weights(start)


@pytest.mark.parametrize("form", ["soft_k_means", "masked_soft_k_means"])
def test_an_unlabelled_example(form):
    learner = SemiSupervisedPrototypicalNetwork(dense((4,)), form)
    rng = np.random.default_rng(0)
    support, query, unlabelled = (
        rng.normal(size=(2, n, 4)).astype("float32") for n in (6, 3, 5)
    )
    labels = picture_episode()[1]
    expected = learner.predict_query(
        learner.adapt(support, labels, unlabelled=unlabelled), query
    )
    broken = unlabelled.copy()
    broken[0, 2, 1] = np.nan
    state = learner.adapt(support, labels, unlabelled=broken)
    found = learner.predict_query(state, query).numpy()
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1], expected[1])


def test_embeddings_too_far_apart_for_a_logit_are_no_absent_way():
    """Finite embeddings whose squared distance is no float32."""
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Flatten()])
    learner = PrototypicalNetwork(encoder)
    support = np.array([[[0.0, 1.0], [1e30, 0.0]]], "float32")
    labels = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], "float32")
    state = learner.adapt(support, labels)
    logits = learner.predict_query(state, support[:, :1]).numpy()
    np.testing.assert_array_equal(logits, [[[0.0, np.nan, -np.inf]]])


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_one_of_several_references_of_a_class(number, jit_compile):
    """Also where a maximum leaves NaN out, as XLA's does."""
    learner = SiameseNetwork(dense((4,)), "contrastive")
    rng = np.random.default_rng(0)
    references, queries = (rng.normal(size=(1, n, 4)).astype("float32") for n in (3, 2))
    members = np.array([[[1, 0], [1, 0], [0, 1]]], bool)
    compare = tf.function(learner.compare_embeddings, jit_compile=jit_compile)
    expected = compare({"references": references, "members": members}, queries)
    references[0, 1, 0] = number
    found = compare({"references": references, "members": members}, queries)
    assert np.isnan(found[0, :, 0]).all()
    np.testing.assert_array_equal(found[0, :, 1], expected[0, :, 1])


METRIC = list(VECTORS)[: list(VECTORS).index("maml")]


@pytest.mark.parametrize("name", METRIC)
def test_padded_embeddings_are_unread(name):
    """Where an evaluator encodes each example once, any example stands in for one."""
    learner = VECTORS[name]((4,), 3)
    rng = np.random.default_rng(0)
    support, query = (rng.normal(size=(2, n, 4)).astype("float32") for n in (6, 3))
    labels = picture_episode()[1]
    expected = learner.compare_embeddings(
        learner.adapt_embeddings(support, labels), query
    )
    padded = np.concatenate([support, np.full((2, 2, 4), np.nan, "float32")], axis=1)
    more = np.concatenate([labels, labels[:, :2]], axis=1)
    mask = np.arange(8)[None] < [[6], [6]]
    state = learner.adapt_embeddings(padded, more, support_mask=mask)
    found = learner.compare_embeddings(state, query)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


# What Keras shows.


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_of_answers_that_are_not_numbers(weighted):
    """The largest of NaN is the first way: of five ways, 20 % would be right."""
    learner = PrototypicalNetwork(dense((4,)))
    learner.compile(weighted_metrics=["accuracy"])
    rng = np.random.default_rng(0)
    inputs = {
        "support": rng.normal(size=(2, 6, 4)).astype("float32"),
        "support_labels": picture_episode()[1],
        "query": rng.normal(size=(2, 4, 4)).astype("float32"),
    }
    y = np.zeros((2, 4), "int32")
    weights = np.ones((2, 4), "float32") if weighted else None
    sound = learner.test_on_batch(inputs, y, weights, return_dict=True)
    assert np.isfinite(list(sound.values())).all()
    inputs["query"][1, 3, 0] = np.nan
    found = learner.test_on_batch(inputs, y, weights, return_dict=True)
    assert set(found) == {"loss", "accuracy"} and np.isnan(list(found.values())).all()


@pytest.mark.parametrize(
    ("number", "name"),
    [
        pytest.param(
            *(number, name),
            # Those with an inner loop have one place where labels come in, as those
            # with a memory.
            marks=()
            if number is np.nan and name in (*METRIC, "maml", "lstm")
            else pytest.mark.exhaustive
            if name in MEMORIES
            else pytest.mark.slow,
        )
        for number in (np.nan, np.inf, -np.inf)
        for name in VECTORS
    ],
)
def test_a_label_that_is_no_number_is_no_other_way(name, number):
    learner = VECTORS[name]((3,), 3)
    rng = np.random.default_rng(0)
    support, query = (rng.normal(size=(2, rows, 3)).astype("f4") for rows in (6, 4))
    labels = np.tile(np.eye(3, dtype="f4")[[0, 0, 1, 1, 2, 2]], (2, 1, 1))
    inputs = {"support": support, "support_labels": labels, "query": query}
    sound = learner.episode_logits(inputs).numpy()
    for place in ((0, 0, 0), (0, 0)):
        spoiled = labels.copy()
        spoiled[place] = number
        found = learner.episode_logits({**inputs, "support_labels": spoiled}).numpy()
        # No way of the task is taken for absent, and no query has an answer.
        assert not np.isneginf(found[0]).any()
        assert np.isnan(found[0]).any(axis=-1).all()
        np.testing.assert_allclose(found[1], sound[1], rtol=1e-4, atol=1e-5)
