"""Small learners of the family, smooth enough for finite differences."""

import keras
import pytest

import tfmeta
from tfmeta.learners import (
    ANIL,
    MAML,
    LSTMMetaLearner,
    MAMLPlusPlus,
    MetaSGD,
    Reptile,
)


def small_encoder(shape=(8,), *, normalized=True):
    layers = [
        keras.layers.Dense(
            4, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=1)
        )
    ]
    if normalized:
        layers.append(tfmeta.layers.BatchNormalization())
    return keras.Sequential([keras.Input(shape), *layers])


MAKERS = {
    "maml": (MAML, {"inner_learning_rate": 0.1}),
    "anil": (ANIL, {"inner_learning_rate": 0.1}),
    "meta_sgd": (MetaSGD, {"inner_learning_rate": 0.1}),
    # The weights of its losses must not change while a gradient is compared.
    "maml_plus_plus": (MAMLPlusPlus, {"multi_step_loss_steps": 10**9}),
    "reptile": (
        Reptile,
        {"inner_learning_rate": 0.1, "inner_batch_size": 4, "test_inner_steps": 3},
    ),
    "lstm": (LSTMMetaLearner, {"units": 3}),
}


@pytest.fixture
def make_maker():
    """Of a name and further arguments: what `check_learner` takes."""

    def make_maker(name, *, normalized=True, **arguments):
        kind, own = MAKERS[name]

        def make(example_shape, ways):
            encoder = small_encoder(example_shape, normalized=normalized)
            known = {"inner_steps": 2, "seed": 0, **own, **arguments}
            if known.get("head") == "prototypes":
                ways = None
            return kind(encoder, ways, **known)

        return make

    return make_maker
