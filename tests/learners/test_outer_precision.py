"""The step of the outer loop under every policy, with whatever scales the loss."""

import functools

import keras
import numpy as np
import pytest

from tfmeta.layers import BatchNormalization
from tfmeta.learners import (
    ANIL,
    MAML,
    Baseline,
    BaselinePlusPlus,
    GaussianPrototypicalNetwork,
    LSTMMetaLearner,
    MAMLPlusPlus,
    MatchingNetwork,
    MetaSGD,
    PrototypicalNetwork,
    RelationNetwork,
    Reptile,
    SemiSupervisedPrototypicalNetwork,
    SiameseNetwork,
)
from tfmeta.testing.subject import precision

# Second order is computed in float32, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:The learner's `encoder` is a copy")

WAYS = 3


def vectors():
    kernels = [keras.initializers.GlorotUniform(seed=i) for i in (1, 2)]
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(6, "tanh", kernel_initializer=kernels[0]),
            keras.layers.Dense(4, kernel_initializer=kernels[1]),
        ]
    )


def maps():
    kernel = keras.initializers.GlorotUniform(seed=1)
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Reshape((4, 2, 1)),
            keras.layers.Conv2D(2, 3, padding="same", kernel_initializer=kernel),
        ]
    )


MAKERS = {
    "prototypical": lambda: PrototypicalNetwork(vectors()),
    "gaussian": lambda: GaussianPrototypicalNetwork(vectors()),
    "semi_supervised": lambda: SemiSupervisedPrototypicalNetwork(vectors()),
    "matching": lambda: MatchingNetwork(vectors()),
    "relation": lambda: RelationNetwork(maps(), relation_filters=2, seed=0),
    "siamese": lambda: SiameseNetwork(vectors()),
    "baseline": lambda: Baseline(vectors(), WAYS, head_steps=3, seed=0),
    "baseline++": lambda: BaselinePlusPlus(vectors(), WAYS, head_steps=3, seed=0),
    "maml": lambda: MAML(vectors(), WAYS, inner_steps=2, seed=0),
    "maml_first_order": lambda: MAML(
        vectors(), WAYS, inner_steps=2, first_order=True, seed=0
    ),
    "anil": lambda: ANIL(vectors(), WAYS, inner_steps=2, seed=0),
    "meta_sgd": lambda: MetaSGD(vectors(), WAYS, inner_steps=2, seed=0),
    "maml++": lambda: MAMLPlusPlus(vectors(), WAYS, inner_steps=2, seed=0),
    "reptile": lambda: Reptile(
        vectors(), WAYS, inner_steps=2, inner_learning_rate=0.03, seed=0
    ),
    "lstm": lambda: LSTMMetaLearner(vectors(), WAYS, units=3, inner_steps=2, seed=0),
}


def batch(name):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2, WAYS, 8))
    support_y, query_y = np.tile(np.arange(WAYS), 2), np.tile(np.arange(WAYS), 3)
    if name.startswith("baseline"):
        x = centres[0][query_y] + rng.normal(size=(9, 8))
        return x.astype("float32"), query_y.astype("int32")
    support = centres[:, support_y] + rng.normal(size=(2, 6, 8))
    query = centres[:, query_y] + rng.normal(size=(2, 9, 8))
    inputs = {
        "support": support.astype("float32"),
        "support_labels": np.tile(np.eye(WAYS, dtype="float32")[support_y], (2, 1, 1)),
        "query": query.astype("float32"),
    }
    return inputs, np.tile(query_y, (2, 1)).astype("int32")


def moved(name, policy, make_optimizer=None, batches=1, **options):
    """How far `batches` batches move the weights that float32 starts from."""
    with precision("float32"):
        start = [v.numpy() for v in MAKERS[name]().weights]
    make_optimizer = make_optimizer or (lambda: keras.optimizers.SGD(1.0))
    with precision(policy):
        learner = MAKERS[name]()
        learner.set_weights(start)
        learner.compile(make_optimizer(), run_eagerly=True, **options)
        before = flat(learner.trainable_variables)
        # A loss scale that is too large at first skips steps until it is not.
        for _ in range(10):
            for _ in range(batches):
                learner.train_on_batch(*batch(name))
            found = before - flat(learner.trainable_variables)
            if found.any():
                return found
    raise AssertionError("no step was taken")


def flat(variables):
    return np.concatenate([v.numpy().astype("float64").ravel() for v in variables])


@pytest.fixture(scope="module")
def reference():
    return functools.cache(lambda name: moved(name, "float32"))


WITHIN = {"float64": 1e-4, "mixed_float16": 0.03, "mixed_bfloat16": 0.2}
QUICK = ("prototypical", "siamese", "maml_first_order", "anil", "reptile", "lstm")


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        pytest.param(
            name,
            policy,
            marks=()
            if (policy == "mixed_float16" and name in QUICK) or name == "reptile"
            else pytest.mark.slow,
        )
        for policy in WITHIN
        for name in MAKERS
    ],
)
def test_a_step_is_that_of_float32(name, policy, reference):
    expected = reference(name)
    found = moved(name, policy)
    size = np.linalg.norm(expected)
    assert size > 1e-3
    assert np.linalg.norm(found - expected) < WITHIN[policy] * size


SCALED = {
    "wrapped": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0)),
    "factor": lambda: keras.optimizers.SGD(1.0, loss_scale_factor=1024.0),
    # Means of one and the same gradient.
    "accumulated": lambda: keras.optimizers.SGD(1.0, gradient_accumulation_steps=2),
    "accumulated_and_wrapped": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
    ),
}


@pytest.mark.parametrize("name", ["anil", "reptile"])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize(
    "scaled",
    [
        name if name == "wrapped" else pytest.param(name, marks=pytest.mark.slow)
        for name in SCALED
    ],
)
def test_what_scales_the_loss_changes_no_step(name, policy, scaled, reference):
    batches = 2 if scaled.startswith("accumulated") else 1
    within = 1e-4 if policy == "float32" else 0.03
    if name == "reptile" and batches == 2:
        # Its moments go on from batch to batch.
        within = 0.2
    found = moved(name, policy, SCALED[scaled], batches)
    expected = reference(name)
    assert np.linalg.norm(found - expected) < within * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["anil", "reptile"])
def test_norms_are_clipped_after_the_scale_is_taken_out(name):
    def clipping():
        return keras.optimizers.SGD(1.0, global_clipnorm=0.1)

    for policy in ("float32", "mixed_float16"):
        assert np.linalg.norm(moved(name, policy, clipping)) == pytest.approx(
            0.1, rel=1e-3
        )


@pytest.mark.parametrize("name", ["anil", "reptile"])
def test_half_precision_without_a_loss_scale(name, reference):
    found = moved(name, "mixed_float16", auto_scale_loss=False)
    expected = reference(name)
    assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)


def normalized():
    return keras.Sequential([vectors(), BatchNormalization()])


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("kind", [ANIL, Reptile])
def test_a_skipped_step_changes_nothing_but_the_scale(kind, eagerly):
    """The outer gradient times this scale is beyond float32."""
    own = {"inner_learning_rate": 2.0, "batch_normalization": "running"}
    learner = kind(normalized(), WAYS, inner_steps=2, seed=0, **own)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(1.0), initial_scale=2.0**127
    )
    learner.compile(optimizer, run_eagerly=eagerly, jit_compile=False)
    before = [v.numpy() for v in learner.weights]
    logs = learner.train_on_batch(*batch("maml"), return_dict=True)
    assert np.isfinite(logs["loss"])
    for old, new in zip(before, learner.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    assert float(optimizer.dynamic_scale) == 2.0**126
    assert int(optimizer.iterations) == 0

    optimizer.dynamic_scale.assign(2.0**10)
    learner.train_on_batch(*batch("maml"))
    assert int(optimizer.iterations) == 1
    changed = [
        (old != new.numpy()).any()
        for old, new in zip(before, learner.weights, strict=True)
        if "seed" not in new.path
    ]
    assert all(changed)
