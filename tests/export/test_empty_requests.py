"""No queries, no examples, no unlabelled ones: an empty answer, of every learner."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta.learners
from tfmeta import export
from tfmeta.encoders import (
    MLP,
    Conv4,
    KochConvNet,
    TextEncoder,
    TextTransformer,
)
from tfmeta.layers import BatchNormalization
from tfmeta.learners import (
    ANIL,
    MAML,
    Baseline,
    BaselinePlusPlus,
    FewShotLearner,
    GaussianPrototypicalNetwork,
    GradientBasedLearner,
    LogisticRegression,
    LSTMMetaLearner,
    MAMLPlusPlus,
    MatchingNetwork,
    MetaSGD,
    MetricLearner,
    PrototypicalNetwork,
    RelationNetwork,
    Reptile,
    SemiSupervisedPrototypicalNetwork,
    SiameseNetwork,
    SimpleShot,
    ZeroShotPrototypicalNetwork,
)

TEXTS = ["a b c", "b c d", "x y z"]
WAYS = 3


def conv4(**options):
    return Conv4((8, 8, 1), filters=4, blocks=2, seed=0, **options)


def dense(normalized=False):
    layers = [keras.Input((6,)), keras.layers.Dense(4)]
    return keras.Sequential([*layers, BatchNormalization()] if normalized else layers)


ENCODERS = {
    "conv4": conv4,
    "strides": lambda: conv4(downsampling="strides"),
    "koch": lambda: KochConvNet((105, 105, 1), filters=2, features=8, seed=0),
    "mlp": lambda: MLP((6,), seed=0),
    "text": lambda: TextEncoder(TEXTS, seed=0),
    "transformer": lambda: TextTransformer(TEXTS, features=8, heads=2, seed=0),
}


def with_inner_loop(kind, **options):
    def make():
        return kind(conv4(), ways=WAYS, inner_steps=1, seed=0, **options)

    return make


LEARNERS = {
    **{
        f"prototypical-{name}": lambda make=make: PrototypicalNetwork(make())
        for name, make in ENCODERS.items()
    },
    "gaussian": lambda: GaussianPrototypicalNetwork(conv4()),
    "semi": lambda: SemiSupervisedPrototypicalNetwork(conv4()),
    "semi-masked": lambda: SemiSupervisedPrototypicalNetwork(
        conv4(), refinement="masked_soft_k_means"
    ),
    "matching": lambda: MatchingNetwork(conv4()),
    "matching-context": lambda: MatchingNetwork(dense(), full_context=True, seed=0),
    "relation": lambda: RelationNetwork(
        conv4(flatten=False), relation_filters=4, seed=0
    ),
    "siamese": lambda: SiameseNetwork(conv4()),
    "siamese-contrastive": lambda: SiameseNetwork(conv4(), "contrastive"),
    "baseline": lambda: Baseline(conv4(), 5, head_steps=2, seed=0),
    "baseline++": lambda: BaselinePlusPlus(conv4(), 5, head_steps=2, seed=0),
    "simple-shot": lambda: SimpleShot(conv4()),
    "logistic-regression": lambda: LogisticRegression(dense()),
    "zero-shot": lambda: ZeroShotPrototypicalNetwork(dense(), dense()),
    **{
        f"maml-{kind}": with_inner_loop(MAML, batch_normalization=kind)
        for kind in ("query_batch", "support", "running")
    },
    "maml-dense": lambda: MAML(dense(True), ways=WAYS, seed=0),
    "maml-prototypes": lambda: MAML(conv4(), head="prototypes", inner_steps=1),
    "maml-vectorized": with_inner_loop(MAML, vectorize_tasks=True),
    "maml-regression": lambda: MAML(dense(), ways=2, task="regression", seed=0),
    "anil": with_inner_loop(ANIL),
    "meta-sgd": with_inner_loop(MetaSGD),
    "maml++": with_inner_loop(MAMLPlusPlus),
    "reptile": with_inner_loop(Reptile),
    "lstm": lambda: LSTMMetaLearner(dense(), ways=WAYS, inner_steps=1, seed=0),
}


def test_every_learner_is_here():
    made = {type(make()).__name__ for make in LEARNERS.values()}
    bases = {"FewShotLearner", "MetricLearner", "GradientBasedLearner"}
    public = {
        name
        for name in tfmeta.learners.__all__
        if isinstance(kind := getattr(tfmeta.learners, name), type)
        and issubclass(kind, FewShotLearner)
    }
    assert made == public - bases


def examples(encoder, count, dtype=None):
    shape = (count, *encoder.input_shape[1:])
    own = tf.as_dtype(encoder.inputs[0].dtype)
    if own == tf.string:
        return tf.constant(np.full(shape, "a b", object), tf.string)
    numbers = np.random.default_rng(count).uniform(0, 9, shape)
    return tf.cast(tf.constant(numbers), dtype or own)


def spec_of_any_size(rows):
    """Of any number of tasks with any number of such rows."""
    return tf.TensorSpec([None, None, *rows.shape[1:]], rows.dtype)


# One of each mechanism. Of the others those that have an export of their own are slow.
USUAL = {
    *("prototypical-conv4", "matching-context", "relation", "semi", "siamese"),
    *("maml-query_batch", "maml-regression"),
}
RARER = {
    *("prototypical-text", "gaussian", "baseline", "simple-shot", "zero-shot"),
    *("logistic-regression", "maml-prototypes", "lstm"),
}


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in USUAL
        else pytest.param(
            name,
            marks=pytest.mark.slow if name in RARER else pytest.mark.exhaustive,
        )
        for name in LEARNERS
    ],
)
def test_nothing_is_answered_by_nothing(name, tmp_path):
    learner = LEARNERS[name]()
    regression = getattr(learner, "task", None) == "regression"
    outputs = 2 if regression else WAYS
    encoder, of_support = learner.encoder, learner.support_encoder
    support, query = examples(of_support, WAYS), examples(encoder, 2)
    labels = tf.ones([WAYS, 2]) if regression else tf.eye(WAYS)

    def logits(support, labels, query, **more):
        return learner.predict_query(learner.adapt(support, labels, **more), query)

    def expect(found, *shape):
        assert tuple(found.shape) == shape and found.dtype == tf.float32

    # In Python and in a graph; no queries, no tasks.
    sizes = [spec_of_any_size(x) for x in (support, labels, query)]
    graph = tf.function(logits, input_signature=sizes, autograph=False)
    for function in (logits, graph):
        expect(function(support[None], labels[None], query[None, :0]), 1, 0, outputs)
        expect(
            function(support[None][:0], labels[None][:0], query[None][:0]),
            *(0, 2, outputs),
        )
    inputs = {"support": support[None], "support_labels": labels[None]}
    expect(learner.episode_logits({**inputs, "query": query[None, :0]}), 1, 0, outputs)
    if isinstance(learner, MetricLearner):
        size = encoder.output_shape[1:]
        expect(learner.embed(query[None, :0]), 1, 0, *size)
        expect(learner.embed(query[None][:0]), 0, 2, *size)
        expect(learner.embed(query[None], mask=tf.zeros([1, 2], tf.bool)), 1, 2, *size)
    if learner.uses_unlabelled:
        none = {"unlabelled": query[None, :0]}
        expect(logits(support[None], labels[None], query[None], **none), 1, 2, WAYS)
        np.testing.assert_allclose(
            logits(support[None], labels[None], query[None], **none),
            logits(support[None], labels[None], query[None]),
        )

    # Where it is served.
    folder = export.save(learner, tmp_path / "m")
    served = tf.saved_model.load(str(folder)).signatures
    verb, output = (
        ("predict", "predictions")
        if regression
        else (
            "classify",
            "probabilities",
        )
    )
    named = served[verb].structured_input_signature[1]
    support = (
        tf.cast(support, named["support"].dtype)
        if (named["support"].dtype != tf.string)
        else support
    )
    if named["query"].dtype != tf.string:
        query = tf.cast(query, named["query"].dtype)
    numbers = tf.range(WAYS) if not regression else labels
    task = {"support": support, "support_labels": numbers}
    tried = {verb}
    expect(served[verb](query=query[:0], **task)[output], 0, outputs)
    for embed, dtype in (("embed", query.dtype), ("embed_float", tf.float32)):
        if embed in served:
            tried.add(embed)
            none = tf.zeros([0, *query.shape[1:]], dtype)
            found = served[embed](examples=none)["embeddings"]
            expect(found, 0, *encoder.output_shape[1:])
    if "adapt" in served:
        tried |= {"adapt", f"{verb}_adapted"}
        state = served["adapt"](**task)
        expect(served[f"{verb}_adapted"](query=query[:0], **state)[output], 0, outputs)
    if "classify_with_unlabelled" in served:
        tried.add("classify_with_unlabelled")
        for count in (0, 2):
            found = served["classify_with_unlabelled"](
                query=query[:count], unlabelled=query[:0], **task
            )
            expect(found[output], count, WAYS)
    if "classify_with_prior" in served:
        tried.add("classify_with_prior")
        for rows, count in ((0, 2), (WAYS, 0)):
            found = served["classify_with_prior"](
                support=support[:rows],
                support_labels=numbers[:rows],
                prior=support,
                query=query[:count],
            )
            expect(found[output], count, WAYS)
    files = tf.stack([tf.io.encode_png(tf.zeros((2, 2, 1), tf.uint8))] * WAYS)
    if "embed_encoded" in served:
        tried |= {"embed_encoded", "classify_encoded"}
        found = served["embed_encoded"](examples=files[:0])["embeddings"]
        expect(found, 0, *encoder.output_shape[1:])
        as_files = files if named["support"].dtype == tf.uint8 else support
        found = served["classify_encoded"](
            support=as_files, support_labels=numbers, query=files[:0]
        )
        expect(found[output], 0, outputs)
    assert tried == {*served} - {"serving_default"}

    # No support is no task, unless classes are known by something else.
    without = {"embed", "embed_float", "embed_encoded", f"{verb}_adapted"}
    for signature in tried - without - {"classify_with_prior"}:
        encoded = signature == "classify_encoded"
        more = {
            name: files if encoded else query
            for name in served[signature].structured_input_signature[1]
            if name in ("query", "unlabelled")
        }
        as_files = encoded and named["support"].dtype == tf.uint8
        nothing = {
            "support": (files if as_files else support)[:0],
            "support_labels": numbers[:0],
        }
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="must have at least one example"
        ):
            served[signature](**nothing, **more)


@pytest.mark.parametrize("kind", [PrototypicalNetwork, with_inner_loop(MAML)])
def test_an_empty_batch_changes_no_answer_and_no_weight(kind):
    learner = kind(conv4()) if kind is PrototypicalNetwork else kind()
    assert isinstance(learner, MetricLearner | GradientBasedLearner)
    support, query = examples(learner.encoder, WAYS), examples(learner.encoder, 2)
    state = learner.adapt(support[None], tf.eye(WAYS)[None])
    before = learner.predict_query(state, query[None])
    weights = [w.numpy() for w in learner.weights]
    for training in (False, True):
        learner.predict_query(state, query[None, :0], training=training)
    for ours, theirs in zip(learner.weights, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(learner.predict_query(state, query[None]), before)
