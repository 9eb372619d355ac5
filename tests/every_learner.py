"""Every learner of the package, small: for what must hold of all of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.encoders import (
    MLP,
    Conv4,
    KochConvNet,
    Pixels,
    TextEncoder,
    TextTransformer,
)
from tfmeta.layers import BatchNormalization
from tfmeta.learners import (
    ANIL,
    MAML,
    SNAIL,
    Baseline,
    BaselinePlusPlus,
    GaussianPrototypicalNetwork,
    LogisticRegression,
    LSTMMetaLearner,
    MAMLPlusPlus,
    MatchingNetwork,
    MemoryAugmentedNetwork,
    MetaNetworks,
    MetaSGD,
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
    "memory": lambda: MemoryAugmentedNetwork(
        conv4(), WAYS, units=5, slots=6, width=3, heads=2, seed=0
    ),
    "memory-lstm": lambda: MemoryAugmentedNetwork(
        dense(), WAYS, units=5, slots=0, seed=0
    ),
    "meta-networks": lambda: MetaNetworks(
        Pixels((8, 8, 1), flatten=False),
        WAYS,
        filters=3,
        blocks=2,
        features=4,
        units=3,
        seed=0,
    ),
    "snail": lambda: SNAIL(dense(), WAYS, seed=0),
}


# One of each mechanism. Of the others those that have an export of their own are slow.
USUAL = {
    *("prototypical-conv4", "matching-context", "relation", "semi", "siamese"),
    *("maml-query_batch", "maml-regression"),
}
RARER = {
    *("prototypical-text", "gaussian", "baseline", "simple-shot", "zero-shot"),
    *("logistic-regression", "maml-prototypes", "lstm"),
}


def by_cost(names):
    """Parameters of a test: the usual ones by default, rarer ones slow."""
    return [
        name
        if name in USUAL
        else pytest.param(
            name,
            marks=pytest.mark.slow if name in RARER else pytest.mark.exhaustive,
        )
        for name in names
    ]


def examples(encoder, count, dtype=None):
    shape = (count, *encoder.input_shape[1:])
    own = tf.as_dtype(encoder.inputs[0].dtype)
    if own == tf.string:
        return tf.constant(np.full(shape, "a b", object), tf.string)
    numbers = np.random.default_rng(count).uniform(0, 9, shape)
    return tf.cast(tf.constant(numbers), dtype or own)
