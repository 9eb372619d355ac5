"""The loss of the outer loop: that of the whole batch, with all that layers add."""

import warnings

import keras
import numpy as np
import pytest

from tfmeta.layers import BatchNormalization
from tfmeta.learners import (
    ANIL,
    MAML,
    MAMLPlusPlus,
    MetaSGD,
    PrototypicalNetwork,
    Reptile,
)
from tfmeta.testing.subject import precision

WAYS, TASKS, QUERIES = 3, 2, 6
# Floats of any width, since Keras rounds them.
ACTIVITY, KERNEL = 0.25, 0.0625


def encoder(*, adds=True, normalized=False):
    kernel = keras.initializers.GlorotUniform(seed=1)
    l2 = keras.regularizers.L2
    dense = keras.layers.Dense(
        4,
        "tanh",
        kernel_initializer=kernel,
        activity_regularizer=l2(ACTIVITY) if adds else None,
        kernel_regularizer=l2(KERNEL),
    )
    more = [keras.layers.ActivityRegularization(l2=0.125)] if adds else []
    normalize = [BatchNormalization()] if normalized else []
    return keras.Sequential([keras.Input((5,)), dense, *normalize, *more])


def batch(*, padded=False, weighted=False):
    rng = np.random.default_rng(0)
    support_y = np.tile(np.arange(WAYS), 2)
    y = rng.integers(0, WAYS, size=(TASKS, QUERIES)).astype("int32")
    inputs = {
        "support": rng.normal(size=(TASKS, 2 * WAYS, 5)),
        "support_labels": np.tile(np.eye(WAYS)[support_y], (TASKS, 1, 1)),
        "query": rng.normal(size=(TASKS, QUERIES, 5)),
    }
    weight = None
    if weighted:
        weight = rng.uniform(0.2, 3.0, size=y.shape)
    if padded:
        real = np.arange(QUERIES) < np.array([[QUERIES], [2]])
        inputs["query_mask"] = real
        weight = real * (1.0 if weight is None else weight)
    return inputs, y, weight


def check_step(learner, data, *, directions=1):
    """The step of SGD against central differences of the loss that is shown."""
    learner.optimizer.learning_rate = 0.0

    def loss():
        return learner.train_on_batch(*data, return_dict=True)["loss"]

    weights = learner.trainable_variables
    shown, start = loss(), [v.numpy() for v in weights]
    moving = [v.numpy() for v in learner.non_trainable_variables]
    rng = np.random.default_rng(1)
    expected, ways = [], []
    for _ in range(directions):
        ways.append([rng.normal(size=v.shape) for v in weights])
        values = []
        for side in (1e-5, -1e-5):
            for v, value, way in zip(weights, start, ways[-1], strict=True):
                v.assign(value + side * way)
            values.append(loss())
        expected.append((values[0] - values[1]) / 2e-5)
    for v, value in zip(weights, start, strict=True):
        v.assign(value)
    for v, value in zip(learner.non_trainable_variables, moving, strict=True):
        v.assign(value)
    learner.optimizer.learning_rate = 1.0
    loss()
    steps = [value - v.numpy() for v, value in zip(weights, start, strict=True)]
    found = [
        sum(np.sum(s * w) for s, w in zip(steps, way, strict=True)) for way in ways
    ]
    assert np.abs(expected).min() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    for v, value in zip(weights, start, strict=True):
        v.assign(value)
    return shown


def reduced(reduction):
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=reduction
    )


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("reduction", "weighting", "kind"),
    [
        ("mean_with_sample_weight", "none", MAML),
        ("mean_with_sample_weight", "padded", MAML),
        ("mean_with_sample_weight", "weighted", MAML),
        ("mean_with_sample_weight", "both", MAML),
        ("sum", "none", MAML),
        ("sum", "both", MAML),
        ("sum_over_batch_size", "both", MAML),
        ("mean", "both", MAML),
        ("sum", "both", PrototypicalNetwork),
        *(
            slow(reduction, weighting, PrototypicalNetwork)
            for reduction in ("mean_with_sample_weight", "sum_over_batch_size", "mean")
            for weighting in ("none", "both")
        ),
    ],
)
def test_every_reduction_is_that_of_the_whole_batch(reduction, weighting, kind):
    with precision("float64"):
        data = batch(
            padded=weighting in ("padded", "both"),
            weighted=weighting in ("weighted", "both"),
        )
        own = {"ways": WAYS, "inner_learning_rate": 0.3, "seed": 0}
        learner = kind(encoder(adds=False), **(own if kind is MAML else {}))
        learner.compile("sgd", reduced(reduction), run_eagerly=True)
        shown = check_step(learner, data)
        inputs, y, weight = data
        logits = learner(inputs).numpy()
        kernel = learner.encoder.layers[0].kernel.numpy()
        evaluated = learner.test_on_batch(*data, return_dict=True)["loss"]
    costs = -np.take_along_axis(
        logits - np.log(np.exp(logits).sum(-1, keepdims=True)), y[..., None], -1
    )[..., 0]
    weight = np.ones(y.shape) if weight is None else weight
    divisor = {"mean_with_sample_weight": weight.sum(), "sum": 1.0}
    expected = (costs * weight).sum() / divisor.get(reduction, y.size)
    # Of the weights as tasks start with them, and once for all of them.
    expected += KERNEL * np.square(kernel).sum()
    assert shown == pytest.approx(expected, rel=1e-12)
    assert evaluated == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("reduction", ["none", None])
def test_a_loss_without_a_reduction_is_refused(reduction):
    learner = MAML(encoder(), WAYS)
    with pytest.raises(ValueError, match=r'`loss` .* Write reduction="mean_with'):
        learner.compile("sgd", reduced(reduction))


LEARNERS = {
    "maml": lambda e: MAML(e, WAYS, inner_learning_rate=0.3, seed=0),
    "maml_3": lambda e: MAML(e, WAYS, inner_learning_rate=0.3, inner_steps=3, seed=0),
    "remade": lambda e: MAML(
        e, WAYS, inner_learning_rate=0.3, inner_steps=3, rematerialize=True, seed=0
    ),
    "prototypes": lambda e: MAML(
        e, head="prototypes", inner_learning_rate=0.1, inner_steps=3, seed=0
    ),
    "anil": lambda e: ANIL(e, WAYS, inner_learning_rate=0.3, inner_steps=3, seed=0),
    "meta_sgd": lambda e: MetaSGD(e, WAYS, inner_steps=3, seed=0),
    "maml++": lambda e: MAMLPlusPlus(
        e, WAYS, inner_steps=3, multi_step_loss_steps=10**12, seed=0
    ),
    "prototypical": lambda e: PrototypicalNetwork(e),
}


BY_DEFAULT = ("maml", "prototypical")


@pytest.mark.parametrize(
    ("name", "padded"),
    [
        ("maml", False),
        ("maml", True),
        ("prototypical", True),
        *(slow(name, True) for name in LEARNERS if name not in BY_DEFAULT),
        *(slow(name, False) for name in LEARNERS if name != "maml"),
    ],
)
def test_what_layers_add_is_differentiated(name, padded):
    with precision("float64"):
        made = [LEARNERS[name](encoder(adds=adds)) for adds in (True, False)]
        made[1].set_weights(made[0].get_weights())
        shown = []
        for learner in made:
            learner.compile("sgd", run_eagerly=True)
            shown.append(check_step(learner, batch(padded=padded)))
    assert shown[0] - shown[1] > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["query_batch", "support", "running"])
def test_beside_a_batch_normalization(kind):
    with precision("float64"):
        learner = MAML(encoder(normalized=True), WAYS, batch_normalization=kind, seed=0)
        learner.compile("sgd", run_eagerly=True)
        check_step(learner, batch(padded=True))


def added_by_hand(learner, inputs):
    """The mean over the tasks, of the real queries under the adapted weights."""
    state = learner.adapt(inputs["support"], inputs["support_labels"])
    kernel, bias = (state[name].numpy() for name in learner.adapted_names()[:2])
    of_tasks = []
    for task in range(TASKS):
        real = inputs.get("query_mask", np.ones((TASKS, QUERIES), bool))[task]
        features = np.tanh(inputs["query"][task][real] @ kernel[task] + bias[task])
        of_tasks.append((ACTIVITY + 0.125) * np.square(features).sum() / real.sum())
    return np.mean(of_tasks)


@pytest.mark.filterwarnings("ignore:Reptile lowers")
@pytest.mark.parametrize(("kind", "eagerly"), [slow(MAML, False), (Reptile, True)])
def test_what_layers_add_is_shown(kind, eagerly):
    """In training and in evaluation, in whatever order they come."""
    with precision("float64"):
        own = {"inner_steps": 2, "test_inner_steps": 2, "seed": 0}
        if kind is Reptile:
            own["inner_batch_size"] = None
        made = [kind(encoder(adds=adds), WAYS, **own) for adds in (True, False)]
        made[1].set_weights(made[0].get_weights())
        for learner in made:
            learner.compile(
                keras.optimizers.SGD(0.0), run_eagerly=eagerly, jit_compile=False
            )
        for padded in (False, True):
            data = batch(padded=padded)
            for verb in ("test_on_batch", "train_on_batch", "test_on_batch"):
                logs = [getattr(m, verb)(*data, return_dict=True) for m in made]
                assert logs[0]["accuracy"] == logs[1]["accuracy"]
                if kind is Reptile and verb == "train_on_batch":
                    # Its moments are another start for the next tasks.
                    continue
                expected = added_by_hand(made[0], data[0])
                found = logs[0]["loss"] - logs[1]["loss"]
                assert found == pytest.approx(expected, rel=1e-9)


def test_reptile_says_that_regularizers_train_nothing():
    with pytest.warns(UserWarning, match="regularizers of dense.* train nothing"):
        Reptile(encoder(), WAYS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Reptile(keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]), WAYS)


def test_more_padding_changes_no_added_loss():
    with precision("float64"):
        learner = LEARNERS["maml"](encoder())
        learner.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
        inputs, y, weight = batch(padded=True)
        wider = {
            **inputs,
            "query": np.pad(inputs["query"], [(0, 0), (0, 4), (0, 0)]),
            "query_mask": np.pad(inputs["query_mask"], [(0, 0), (0, 4)]),
        }
        more = [np.pad(part, [(0, 0), (0, 4)]) for part in (y, weight)]
        for verb in (learner.train_on_batch, learner.test_on_batch):
            one = verb(inputs, y, weight, return_dict=True)["loss"]
            assert one == pytest.approx(verb(wider, *more, return_dict=True)["loss"])


def test_padding_beside_added_losses_is_refused_where_tasks_are_vectorized():
    learner = MAML(encoder(), WAYS, vectorize_tasks=True)
    learner.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="`vectorize_tasks` must be False where"):
        learner.train_on_batch(*batch(padded=True))
    learner.train_on_batch(*batch()[:2])


def test_what_an_earlier_call_added_is_no_part_of_a_step():
    learner = LEARNERS["maml"](encoder())
    learner.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    data = batch()[:2]
    before = learner.train_on_batch(*data, return_dict=True)["loss"]
    learner.encoder(100.0 * data[0]["query"][0])
    learner(data[0])
    assert learner.train_on_batch(*data, return_dict=True)["loss"] == before
