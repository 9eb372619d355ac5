"""Every learner with a memory keeps the habits of Keras and of episodes."""

import keras
import pytest
from conformance import checks

from tfmeta.learners import SNAIL, MemoryAugmentedNetwork, MetaNetworks


def encoder(shape):
    options = {"kernel_initializer": keras.initializers.GlorotUniform(seed=1)}
    options["activation"] = "tanh"
    layer = (
        keras.layers.Conv2D(2, 3, padding="same", **options)
        if len(shape) == 3
        else keras.layers.Dense(4, **options)
    )
    return keras.Sequential([keras.Input(shape), layer])


def memory(**options):
    def make(shape, ways):
        sizes = {"units": 6, "width": 3, "heads": 2}
        return MemoryAugmentedNetwork(encoder(shape), ways, **sizes, seed=0, **options)

    return make


def snail(**options):
    return lambda shape, ways: SNAIL(encoder(shape), ways, 2, seed=0, **options)


def meta(**options):
    def make(shape, ways):
        sizes = {"filters": 3, "features": 4, "units": 3}
        return MetaNetworks(encoder(shape), ways, **sizes, seed=0, **options)

    return make


# A label is an input of its own, in all of them.
NUMBERED = ["check_class_order"]
# Gradients are inputs, of which no derivative is taken.
FIRST_ORDER = ["check_gradient"]

CASES = {
    "memory": (memory(slots=9), (8,), NUMBERED),
    "memory of queries": (memory(slots=9, objective="queries"), (8,), NUMBERED),
    "lstm": (memory(slots=0), (8,), NUMBERED),
    "lstm of queries": (memory(slots=0, objective="queries"), (8,), NUMBERED),
    "snail": (snail(), (8,), NUMBERED),
    "snail of instances": (snail(objective="instances"), (8,), NUMBERED),
    "meta networks": (meta(), (8,), NUMBERED + FIRST_ORDER),
    "meta networks of maps": (meta(blocks=2), (5, 4, 2), NUMBERED + FIRST_ORDER),
}
BY_DEFAULT = {
    "memory": {"check_class_order", "check_padded_training"},
    "lstm": {"check_padded_predictions", "check_transductive"},
    "snail": {"check_class_order"},
    "meta networks": {"check_tasks_are_independent", "check_padded_training"},
}
SLOW = {
    "memory": {"check_not_a_number"},
    "lstm": {"check_gradient"},
    "meta networks": {"check_mixed_precision"},
}


@pytest.mark.parametrize(
    ("case", "check"),
    [
        pytest.param(case, *check.values, id=f"{case}-{check.id}", marks=check.marks)
        for case in CASES
        for check in checks(BY_DEFAULT.get(case, ()), SLOW.get(case, ()))
    ],
)
def test_conforms(case, check):
    make, shape, expected = CASES[case]
    if check.__name__ in expected:
        with pytest.raises(AssertionError, match=r"must permute|must be that of the"):
            check(make, example_shape=shape, ways_are_free=False)
    else:
        check(make, example_shape=shape, ways_are_free=False)
