"""What is not finite, not of this learner, or not there, in every learner."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sequences import FEATURES, WAYS, as_they_are, task

from tfmeta.learners import SNAIL, MemoryAugmentedNetwork, MetaNetworks
from tfmeta.learners.model_based.memory_learner import MemoryLearner
from tfmeta.testing.subject import precision

SIZES = {"units": 5, "slots": 6, "width": 3, "heads": 2}
LEARNERS = {
    "memory": lambda **o: MemoryAugmentedNetwork(
        as_they_are(), o.pop("ways", WAYS), **{**SIZES, **o}, seed=0
    ),
    "lstm": lambda **o: MemoryAugmentedNetwork(
        as_they_are(), o.pop("ways", WAYS), **{"slots": 0, "units": 5, **o}, seed=0
    ),
    "snail": lambda **o: SNAIL(as_they_are(), o.pop("ways", WAYS), 2, seed=0, **o),
    "meta networks": lambda **o: MetaNetworks(
        as_they_are(),
        o.pop("ways", WAYS),
        **{"filters": 3, "features": 4, "units": 3, **o},
        seed=0,
    ),
}


@pytest.fixture(autouse=True)
def exactly():
    with precision("float64"):
        yield


@pytest.fixture(params=LEARNERS)
def make(request):
    return LEARNERS[request.param]


def some():
    support, labels = task(5)
    return support, labels, task(4, seed=1)[0]


def answers(learner, support, labels, query):
    return learner.predict_query(learner.adapt(support, labels), query).numpy()


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_weight_that_is_not_finite_gives_no_answer(make, value):
    learner = make()
    parts = some()
    sound = learner.get_weights()
    answers_of = tf.function(
        lambda *p: learner.predict_query(learner.adapt(*p[:2]), p[2])
    )
    for number, weight in enumerate(learner.weights):
        broken = [part.copy() for part in sound]
        broken[number].flat[0] = value
        learner.set_weights(broken)
        assert not np.isfinite(answers_of(*parts)).any(), weight.path
    learner.set_weights(sound)
    present = parts[1].numpy().any(axis=1)[:, None]
    finite = np.isfinite(answers_of(*parts))
    np.testing.assert_array_equal(finite, np.broadcast_to(present, finite.shape))


def test_an_embedding_that_overflows_gives_no_answer(make):
    learner = make()
    learner.encoder = keras.Sequential(
        [keras.Input((FEATURES,)), keras.layers.Lambda(lambda x: x * 1e300 * 1e300)]
    )
    support, labels, query = some()
    found = answers(learner, support, labels, query)
    assert not np.isfinite(found).any()


def test_a_part_of_a_state_that_is_not_finite_leaves_its_task_without_an_answer(make):
    learner = make()
    support, labels, query = some()
    state = learner.adapt(support, labels)
    wanted = learner.predict_query(state, query).numpy()
    for name, part in state.items():
        if not part.dtype.is_floating:
            continue
        for value in (np.nan, np.inf):
            broken = part.numpy()
            broken[0].flat[0] = value
            found = learner.predict_query({**state, name: broken}, query).numpy()
            present = np.isfinite(wanted[0])
            assert np.isnan(found[0][present]).all(), name
            np.testing.assert_allclose(found[1], wanted[1], rtol=1e-12)
            later = learner.adapt(support, labels, state={**state, name: broken})
            found = learner.predict_query(later, query).numpy()
            assert not np.isfinite(found[0]).any(), name
            assert np.isfinite(found[1]).any()


OTHERS = {
    "memory": [{"slots": 8}, {"slots": 0}, {"ways": 4}, {"heads": 1}, {"units": 4}],
    "lstm": [{"slots": 6}, {"ways": 4}, {"units": 4}],
    "snail": [{"ways": 4}],
    "meta networks": [{"ways": 4}, {"features": 5}],
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_state_of_another_learner_is_refused(name):
    learner = LEARNERS[name]()
    support, labels, query = some()
    others = [make() for other, make in LEARNERS.items() if other != name]
    others += [LEARNERS[name](**options) for options in OTHERS[name]]
    for other in others:
        state = other.begin(2)
        for use in (
            lambda s: learner.predict_query(s, query),
            lambda s: learner.adapt(support, labels, state=s),
        ):
            with pytest.raises(ValueError, match="^`state"):
                use(state)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: {}, ValueError, "with the parts .* Received: the parts none"),
        (lambda s: [], TypeError, "`state` must be what `adapt` returned"),
        (lambda s: "x", TypeError, "`state` must be what `adapt` returned"),
        (lambda s: {**s, "more": s["present"]}, ValueError, "Received: the parts "),
        (
            lambda s: {n: p for n, p in s.items() if n != "present"},
            ValueError,
            "Received: the parts ",
        ),
        (
            lambda s: {n: p[:1] for n, p in s.items()},
            ValueError,
            "must have the same .tasks,.",
        ),
        (
            lambda s: {**s, "present": tf.cast(s["present"], tf.int32)},
            ValueError,
            "`state..present..` must be bool of shape .tasks, 3.",
        ),
    ],
)
def test_what_is_no_state_is_refused(make, change, error, message):
    learner = make()
    support, labels, query = some()
    state = change(learner.adapt(support, labels))
    with pytest.raises(error, match=message):
        learner.predict_query(state, query)
    with pytest.raises(error, match=message):
        learner.adapt(support, labels, state=state)


@pytest.mark.parametrize("graph", [False, True])
def test_what_is_empty_gives_what_is_empty(make, graph):
    learner = make()
    support, labels, query = some()

    def both(support, labels, query):
        return learner.predict_query(learner.adapt(support, labels), query)

    if graph:
        specs = [
            tf.TensorSpec([None, None, size], tf.float64)
            for size in (FEATURES, WAYS, FEATURES)
        ]
        both = tf.function(both, input_signature=specs)
    nothing = both(support[:, :0], labels[:, :0], query)
    assert np.all(nothing == -np.inf) and nothing.shape == (2, 4, WAYS)
    assert both(support, labels, query[:, :0]).shape == (2, 0, WAYS)
    assert both(support[:0], labels[:0], query[:0]).shape == (0, 4, WAYS)
    wanted = both(support, labels, query)
    state = learner.adapt(support[:, :0], labels[:, :0])
    later = learner.predict_query(learner.adapt(support, labels, state=state), query)
    np.testing.assert_allclose(later, wanted, rtol=1e-12)


def test_an_empty_sequence_has_no_logits(make):
    support, labels, _ = some()
    found = make().sequence_logits(support[:, :0], labels[:, :0])
    assert found.shape == (2, 0, WAYS)


@pytest.mark.parametrize("tasks", [-1, 1.5, "2", None, [2], True])
def test_how_many_tasks_begin_is_a_number(make, tasks):
    learner = make()
    assert isinstance(learner, MemoryLearner)
    with pytest.raises(ValueError, match="`tasks` must be an int of at least 0"):
        learner.begin(tasks)
