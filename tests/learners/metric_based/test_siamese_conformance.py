"""The conformance suite, for every objective."""

import keras
import pytest
from conformance import OF_ITS_OWN, checks

from tfmeta.learners import SiameseNetwork
from tfmeta.losses import ContrastiveLoss

OTHERS = {
    "contrastive": {"objective": "contrastive", "margin": 2.0, "k_shot": "mean"},
    "triplet": {
        "objective": "triplet",
        "mining": "all",
        "distance": "squared_euclidean",
    },
    "loss object": {
        "objective": ContrastiveLoss(0.5, squared=False, distance="cosine")
    },
}
# What the objective and the comparison of several examples have a part in.
TELLING = {"check_verbs", "check_padded_training", "check_gradient", "check_config"}


def maker(**arguments):
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

    return make_learner


@pytest.mark.parametrize("check", checks(OF_ITS_OWN))
def test_verification_conforms(check):
    check(maker())


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("check", checks(TELLING))
def test_other_objectives_conform(check, name):
    check(maker(**OTHERS[name]))
