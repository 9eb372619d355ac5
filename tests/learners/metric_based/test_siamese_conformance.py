"""The conformance suite, for every objective."""

import keras
import pytest

from tfmeta.learners import SiameseNetwork
from tfmeta.losses import ContrastiveLoss
from tfmeta.testing import CHECKS


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"objective": "contrastive", "margin": 2.0, "k_shot": "mean"},
        {"objective": "triplet", "mining": "all", "distance": "squared_euclidean"},
        {"objective": ContrastiveLoss(0.5, squared=False, distance="cosine")},
    ],
    ids=["verification", "contrastive", "triplet", "loss object"],
)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check, arguments):
    def make_learner(example_shape, ways):
        encoder = keras.Sequential(
            [
                keras.Input(example_shape),
                keras.layers.Flatten(),
                keras.layers.Dense(
                    4,
                    "tanh",
                    kernel_initializer=keras.initializers.GlorotUniform(seed=1),
                ),
            ]
        )
        return SiameseNetwork(encoder, **arguments)

    check(make_learner)
