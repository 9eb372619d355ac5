"""Logits of a sequence, each before its label: by the two verbs, and in one pass."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners import (
    MAML,
    SNAIL,
    FewShotLearner,
    MatchingNetwork,
    MemoryAugmentedNetwork,
    MetaNetworks,
    PrototypicalNetwork,
    SiameseNetwork,
    ZeroShotPrototypicalNetwork,
)

TASKS, STEPS, WAYS, FEATURES = 2, 6, 3, 4


def encoder():
    return keras.Sequential(
        [keras.Input((FEATURES,)), keras.layers.Dense(3, kernel_initializer="ones")]
    )


def identity():
    inputs = keras.Input((FEATURES,))
    return keras.Model(inputs, keras.layers.Identity()(inputs))


MAKERS = {
    "prototypical": lambda: PrototypicalNetwork(identity()),
    "matching": lambda: MatchingNetwork(identity(), full_context=True, seed=0),
    "siamese": lambda: SiameseNetwork(encoder()),
    "maml": lambda: MAML(encoder(), ways=WAYS, inner_steps=2, seed=0),
    "meta-networks": lambda: MetaNetworks(
        identity(), WAYS, filters=3, features=3, units=2, seed=0
    ),
    "memory": lambda: MemoryAugmentedNetwork(
        identity(), WAYS, units=5, slots=6, width=3, heads=2, seed=0
    ),
    "no memory": lambda: MemoryAugmentedNetwork(
        identity(), WAYS, units=5, slots=0, seed=0
    ),
    "snail": lambda: SNAIL(identity(), WAYS, shots=3, seed=0),
}


@pytest.fixture
def in_float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def sequence(seed=0, dtype=np.float64):
    """The first way comes late, so that it is absent for a while."""
    examples = np.random.default_rng(seed).normal(size=(TASKS, STEPS, FEATURES))
    numbers = np.array([[1, 2, 1, 0, 0, 2], [2, 2, 1, 1, 2, 0]])
    return examples.astype(dtype), np.eye(WAYS, dtype=dtype)[numbers]


def by_the_verbs(learner, examples, labels):
    """Step by step, from a support that is what came before and nothing else."""
    logits = np.full((TASKS, STEPS, WAYS), -np.inf)
    for step in range(1, STEPS):
        state = learner.adapt(examples[:, :step], labels[:, :step])
        logits[:, step] = learner.predict_query(state, examples[:, step : step + 1])[
            :, 0
        ]
    return logits


SLOW = ("maml", "matching", "meta-networks", "siamese", "no memory")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in MAKERS],
)
def test_every_step_is_the_query_behind_those_before_it(name, in_float64):
    learner = MAKERS[name]()
    examples, labels = sequence()
    found = learner.sequence_logits(examples, labels)
    assert found.dtype == tf.float64 and found.shape == (TASKS, STEPS, WAYS)
    expected = by_the_verbs(learner, examples, labels)
    told = np.cumsum(labels, axis=1) - labels > 0
    assert np.isneginf(expected[~told]).all() and np.isfinite(expected[told]).all()
    np.testing.assert_allclose(found.numpy()[told], expected[told], rtol=1e-9)
    # One that reads sequences guesses at what is new, all others have no answer.
    guesses = name in ("memory", "no memory", "snail")
    assert (np.isfinite if guesses else np.isneginf)(found.numpy()[~told]).all()


def test_of_prototypes_by_numpy(in_float64):
    examples, labels = sequence(1)
    found = MAKERS["prototypical"]().sequence_logits(examples, labels).numpy()
    for task in range(TASKS):
        for step in range(STEPS):
            for way in range(WAYS):
                own = examples[task, :step][labels[task, :step, way] > 0]
                if not len(own):
                    assert np.isneginf(found[task, step, way])
                    continue
                distance = np.sum((examples[task, step] - own.mean(axis=0)) ** 2)
                assert found[task, step, way] == pytest.approx(-distance, rel=1e-9)


@pytest.mark.parametrize(
    "name",
    [
        *("prototypical", "memory", "snail"),
        pytest.param("maml", marks=pytest.mark.exhaustive),
    ],
)
def test_no_label_and_no_example_has_a_part_in_what_comes_before(name):
    learner = MAKERS[name]()
    examples, labels = sequence(dtype=np.float32)
    before = learner.sequence_logits(examples, labels).numpy()
    changed, other = examples.copy(), labels.copy()
    # The label of a step is not known to its own logits.
    changed[:, 4:], other[:, 3:] = 9.0, np.roll(other[:, 3:], 1, axis=-1)
    after = learner.sequence_logits(changed, other).numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], rtol=1e-5, atol=1e-6)
    assert not np.allclose(after[:, 5], before[:, 5])


@pytest.mark.parametrize(
    "name",
    [
        *("prototypical", "memory", "snail"),
        pytest.param("maml", marks=pytest.mark.exhaustive),
    ],
)
def test_padding_changes_nothing(name):
    learner = MAKERS[name]()
    examples, labels = sequence(dtype=np.float32)
    places = [1, 2, 4, 5, 7, 8]
    padded = np.full((TASKS, 10, FEATURES), 7, np.float32)
    no_labels = np.zeros((TASKS, 10, WAYS), np.float32)
    padded[:, places], no_labels[:, places] = examples, labels
    found = learner.sequence_logits(padded, no_labels).numpy()[:, places]
    expected = learner.sequence_logits(examples, labels).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_lists_whole_numbers_and_short_sequences():
    learner = MAKERS["prototypical"]()
    one = learner.sequence_logits([[[1.0, 2.0, 3.0, 4.0]]], [[[0, 1]]])
    assert one.shape == (1, 1, 2) and np.isneginf(one).all()
    two = learner.sequence_logits([[[1.0] * 4, [2.0] * 4]], [[[0, 1], [1, 0]]])
    np.testing.assert_allclose(two[0, 1], [-np.inf, -4.0], rtol=1e-6)
    graph = tf.function(
        learner.sequence_logits,
        input_signature=[
            tf.TensorSpec([None, None, 4]),
            tf.TensorSpec([None, None, None]),
        ],
        autograph=False,
    )
    examples, labels = sequence(dtype=np.float32)
    np.testing.assert_allclose(
        graph(examples, labels), learner.sequence_logits(examples, labels), rtol=1e-5
    )


def test_logits_are_wide_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        examples, labels = sequence(dtype=np.float32)
        for name in ("prototypical", "memory"):
            logits = MAKERS[name]().sequence_logits(examples, labels)
            assert logits.dtype == tf.float32
    finally:
        keras.config.set_dtype_policy("float32")


class Acting(FewShotLearner):
    labelled_support = False


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: MAML(encoder(), ways=2, task="regression"), "MAML, one of regression"),
        (lambda: Acting(encoder()), "Acting, one whose support has no labels"),
        (
            lambda: ZeroShotPrototypicalNetwork(encoder(), encoder()),
            "ZeroShotPrototypicalNetwork, one that is shown something else",
        ),
    ],
)
def test_learners_of_something_else_are_refused(make, received):
    with pytest.raises(
        ValueError, match="learner of classification that is shown"
    ) as no:
        make().sequence_logits(*sequence())
    assert received in str(no.value)


def test_other_forms_are_refused_by_their_names():
    examples, labels = sequence(dtype=np.float32)
    learner = MAKERS["memory"]()
    for given, message in (
        ((examples[0], labels), "`examples` must have the shape"),
        ((examples, labels[:, :-1]), "`labels` and `examples` must have the same"),
        ((examples, labels.argmax(-1)), "`labels` must be"),
        ((examples, np.eye(4, dtype="f4")[labels.argmax(-1)]), "`labels` must have 3"),
        ((examples, [["a"] * STEPS] * TASKS), "`labels` must be"),
    ):
        with pytest.raises(ValueError, match=message) as no:
            learner.sequence_logits(*given)
        assert "support_labels" not in str(no.value)
