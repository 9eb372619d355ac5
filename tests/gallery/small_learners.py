"""Learners of all kinds that embed independently, on vectors of a few numbers."""

import keras
import numpy as np

from tfmeta import learners
from tfmeta.registry import LEARNERS, resolve

FEATURES = 4


def identity(features=FEATURES, dtype=None):
    """An encoder that changes nothing."""
    layers = [keras.Input((features,)), keras.layers.Identity(dtype=dtype)]
    return keras.Sequential(layers)


def dense(seed, outputs=FEATURES):
    """One that does, by its seed."""
    kernel = keras.initializers.GlorotUniform(seed=seed)
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(outputs, "tanh", kernel_initializer=kernel),
        ]
    )


def maps():
    """The numbers as a map, for a Relation Network."""
    return keras.Sequential(
        [keras.Input((FEATURES,)), keras.layers.Reshape((2, 1, FEATURES // 2))]
    )


_SEEDED = {"seed": 0}
_FITTED = {"seed": 0, "head_steps": 20, "head_learning_rate": 0.1}
MAKERS = {
    "prototypical": lambda: learners.PrototypicalNetwork(identity()),
    "prototypical_cosine": lambda: learners.PrototypicalNetwork(identity(), "cosine"),
    "gaussian_prototypical": lambda: learners.GaussianPrototypicalNetwork(identity()),
    "semi_supervised_prototypical": lambda: learners.SemiSupervisedPrototypicalNetwork(
        identity()
    ),
    "semi_supervised_of_queries": lambda: learners.SemiSupervisedPrototypicalNetwork(
        identity(), unlabelled_from="queries"
    ),
    "matching": lambda: learners.MatchingNetwork(identity()),
    "matching_full": lambda: learners.MatchingNetwork(
        identity(), full_context=True, **_SEEDED
    ),
    "siamese": lambda: learners.SiameseNetwork(identity()),
    "siamese_mean": lambda: learners.SiameseNetwork(
        identity(), "contrastive", k_shot="mean"
    ),
    "relation": lambda: learners.RelationNetwork(maps(), relation_filters=3, **_SEEDED),
    "baseline": lambda: learners.Baseline(identity(), 3, **_FITTED),
    "baseline_plus_plus": lambda: learners.BaselinePlusPlus(identity(), 3, **_FITTED),
    "simple_shot": lambda: learners.SimpleShot(identity()),
    "simple_shot_centered": lambda: learners.SimpleShot(
        identity(), "centered_l2", base_mean=np.full(FEATURES, 0.3)
    ),
    "logistic_regression": lambda: learners.LogisticRegression(identity()),
}


def every_kind_is_here():
    """Whether each learner of the registry that a gallery takes has a maker."""
    taken = {
        resolve(entry.path)
        for name, entry in LEARNERS.items()
        if resolve(entry.path).independent_embeddings
        and not entry.trains_on_like_tasks
        and name != "zero_shot_prototypical"
    }
    return taken == {type(make()) for make in MAKERS.values()}


def points(sizes, seed=0, features=FEATURES, spread=3.0):
    """Examples around a centre of each class, by its name; sizes by class."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=spread, size=(len(sizes), 1, features))
    return {
        f"class {number}": (centre + rng.normal(size=(size, features))).astype("f4")
        for number, (centre, size) in enumerate(zip(centres, sizes, strict=True))
    }
