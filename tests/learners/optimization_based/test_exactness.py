"""The meta-gradient, against central differences and against its definition."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.encoders import Conv4
from tfmeta.episodes import Episodes
from tfmeta.learners import MAML
from tfmeta.testing import CHECKS
from tfmeta.testing.subject import Subject, precision

(check_gradient,) = (c for c in CHECKS if c.__name__ == "check_gradient")


def exhaustive(*values):
    return pytest.param(*values, marks=pytest.mark.exhaustive)


# A form of MAML++, which takes three times as long, is among the conformance checks.
BY_DEFAULT = [
    ("maml", None),
    *((name, "support") for name in ("maml", "anil", "meta_sgd")),
]


@pytest.mark.parametrize(
    ("name", "steps", "normalization"),
    [
        (name, steps, normalization)
        if steps == 3 and (name, normalization) in BY_DEFAULT
        else pytest.param(
            *(name, steps, normalization),
            marks=pytest.mark.slow if steps == 3 else pytest.mark.exhaustive,
        )
        for name in ("maml", "anil", "meta_sgd", "maml_plus_plus")
        for steps in (1, 3)
        for normalization in (None, "query_batch", "support")
    ],
)
def test_meta_gradient_equals_central_differences(
    name, steps, normalization, make_maker
):
    options = {"batch_normalization": normalization} if normalization else {}
    check_gradient(
        make_maker(
            name, inner_steps=steps, normalized=normalization is not None, **options
        ),
        ways_are_free=False,
    )


def step_of(learner, batch, *, eagerly=False):
    """The outer gradient, as one step of SGD subtracts it, and the loss."""
    learner.compile(keras.optimizers.SGD(1.0), run_eagerly=eagerly, jit_compile=False)
    before = [v.numpy() for v in learner.trainable_variables]
    loss = learner.train_on_batch(*batch, return_dict=True)["loss"]
    after = [v.numpy() for v in learner.trainable_variables]
    return [b - a for b, a in zip(before, after, strict=True)], loss


@pytest.fixture
def subject(make_maker):
    def subject(name, **arguments):
        return Subject(make_maker(name, **arguments), (8,), False)

    return subject


def assert_same(ours, theirs, rtol):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(
    "name", ["maml", *map(exhaustive, ["reptile", "lstm", "maml_plus_plus"])]
)
def test_a_meta_batch_is_the_mean_of_its_tasks(name, subject):
    with precision("float64"):
        # Reptile's mini-batches are drawn by task, so it takes all of the support.
        more = {"inner_batch_size": None} if name == "reptile" else {}
        made = subject(name, **more)
        inputs, y = made.batch()
        together, loss = step_of(made.learner(), (inputs, y))
        single = [
            step_of(
                made.learner(),
                ({k: v[t : t + 1] for k, v in inputs.items()}, y[t : t + 1]),
            )
            for t in range(2)
        ]
        mean = [
            np.mean(parts, axis=0)
            for parts in zip(*(g for g, _ in single), strict=False)
        ]
    assert_same(together, mean, 1e-12)
    assert loss == pytest.approx(np.mean([part for _, part in single]), rel=1e-12)


@pytest.mark.parametrize(
    "name", ["maml", *map(exhaustive, ["anil", "reptile", "lstm"])]
)
def test_eager_and_graph_agree(name, subject):
    with precision("float64"):
        made = subject(name)
        batch = made.batch(varied=True)
        graph, _ = step_of(made.learner(), batch)
        eager, _ = step_of(made.learner(), batch, eagerly=True)
    assert_same(graph, eager, 1e-11)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("maml", {}),
        exhaustive("maml", {"head": "prototypes", "batch_normalization": "support"}),
        exhaustive("anil", {"batch_normalization": "running"}),
        exhaustive("meta_sgd", {}),
        exhaustive("maml_plus_plus", {"batch_normalization": "running"}),
        exhaustive("reptile", {}),
        exhaustive("lstm", {}),
    ],
)
def test_vectorized_tasks_agree_with_one_by_one(name, arguments, subject):
    with precision("float64"):
        made = subject(name, vectorize_tasks=False, **arguments)
        batch = made.batch(varied=True)
        other = subject(name, vectorize_tasks=True, **arguments)
        expected, loss = step_of(made.learner(), batch)
        found, same_loss = step_of(other.learner(), batch)
        logits, same_logits = (
            m.learner().predict(batch[0], verbose=0) for m in (made, other)
        )
    # Adam's first step multiplies the rounding of a gradient that is zero by rate
    # over epsilon, which is 1e6 here; losses and logits are those after it.
    within = 1e-9 if name == "reptile" else 1e-11
    assert_same(found, expected, within)
    assert same_loss == pytest.approx(loss, rel=within)
    np.testing.assert_allclose(same_logits, logits, atol=10 * within)


@pytest.mark.exhaustive
@pytest.mark.parametrize("batch_normalization", ["query_batch", "support"])
def test_vectorized_convolutions_agree_with_one_by_one(batch_normalization):
    def subject(vectorized):
        def make(example_shape, ways):
            encoder = Conv4(example_shape, filters=3, seed=0)
            return MAML(
                encoder,
                ways,
                inner_steps=2,
                inner_learning_rate=0.1,
                batch_normalization=batch_normalization,
                vectorize_tasks=vectorized,
                seed=0,
            )

        return Subject(make, (16, 16, 2), False)

    with precision("float64"):
        batch = subject(False).batch(varied=True)
        expected, loss = step_of(subject(False).learner(), batch)
        found, same_loss = step_of(subject(True).learner(), batch)
    assert_same(found, expected, 1e-9)
    assert same_loss == pytest.approx(loss, rel=1e-10)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("maml", {"inner_steps": 3}),
        exhaustive("maml", {"inner_steps": 12}),
        exhaustive("maml", {"head": "prototypes", "batch_normalization": "support"}),
        exhaustive("maml", {"vectorize_tasks": True}),
        exhaustive("meta_sgd", {}),
        exhaustive("maml_plus_plus", {}),
        exhaustive("lstm", {}),
    ],
)
def test_rematerialization_changes_no_gradient(name, arguments, subject):
    with precision("float64"):
        made = subject(name, **arguments)
        batch = made.batch()
        expected, loss = step_of(made.learner(), batch)
        other = subject(name, rematerialize=True, **arguments)
        found, same_loss = step_of(other.learner(), batch)
        eager, _ = step_of(other.learner(), batch, eagerly=True)
    assert_same(found, expected, 1e-11)
    assert_same(eager, expected, 1e-11)
    assert same_loss == pytest.approx(loss, rel=1e-12)


def test_first_and_second_order_differ(subject):
    with precision("float64"):
        made, first = subject("maml"), subject("maml", first_order=True)
        batch = made.batch()
        exact, loss = step_of(made.learner(), batch)
        constant, same_loss = step_of(first.learner(), batch)
    assert loss == same_loss
    assert (
        max(np.abs(a - b).max() for a, b in zip(exact, constant, strict=False)) > 1e-3
    )


def test_first_order_is_the_gradient_at_the_adapted_weights(subject):
    """Finn 2017, section 5.2: what the query loss says where adaptation ends."""
    with precision("float64"):
        made = subject("maml", first_order=True, normalized=False)
        inputs, y = made.batch()
        learner = made.learner()
        names = learner.adapted_names()
        state = learner.adapt(inputs["support"], inputs["support_labels"])
        expected = []
        for task in range(2):
            moved = made.learner()
            for variable, name in zip(moved.trainable_variables, names, strict=True):
                variable.assign(state[name][task])
            with tf.GradientTape() as tape:
                features = moved.encoder(inputs["query"][task], training=True)
                logits = moved.head_layer(features)
                loss = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(y[task], logits)
                )
            expected.append(
                tape.gradient(loss, [v.value for v in moved.trainable_variables])
            )
        found, _ = step_of(learner, (inputs, y))
    assert_same(
        found, [np.mean(parts, axis=0) for parts in zip(*expected, strict=False)], 1e-10
    )


@pytest.mark.exhaustive
def test_reptile_moves_towards_the_adapted_weights(subject):
    with precision("float64"):
        made = subject("reptile", inner_batch_size=None, test_inner_steps=2)
        inputs, y = made.batch()
        learner = made.learner()
        start = [v.numpy() for v in learner.trainable_variables]
        state = learner.adapt(inputs["support"], inputs["support_labels"])
        ends = [state[name].numpy() for name in learner.adapted_names()]
        learner.compile(keras.optimizers.SGD(0.25))
        learner.train_on_batch(inputs, y)
        after = [v.numpy() for v in learner.trainable_variables]
    expected = [
        s + 0.25 * (e.mean(axis=0) - s) for s, e in zip(start, ends, strict=False)
    ]
    assert_same(after, expected, 1e-12)
    assert max(np.abs(a - s).max() for a, s in zip(after, start, strict=False)) > 1e-3


@pytest.mark.exhaustive
def test_reptile_carries_the_moments_of_adam_on(subject):
    with precision("float64"):
        made = subject("reptile", inner_batch_size=None, test_inner_steps=2)
        inputs, y = made.batch()
        learner = made.learner()
        learner.compile(keras.optimizers.SGD(0.25))
        *seconds, count = learner.carried_variables()
        assert count == 0
        learner.train_on_batch(inputs, y)
        assert count == 2  # inner steps
        assert all(np.any(v.numpy() > 0) for v in seconds)
        # What is adapted at test starts from the same moments as in training.
        start = [v.numpy() for v in learner.trainable_variables]
        state = learner.adapt(inputs["support"], inputs["support_labels"])
        ends = [state[name].numpy() for name in learner.adapted_names()]
        learner.train_on_batch(inputs, y)
        after = [v.numpy() for v in learner.trainable_variables]
    expected = [
        s + 0.25 * (e.mean(axis=0) - s) for s, e in zip(start, ends, strict=False)
    ]
    assert_same(after, expected, 1e-12)


def test_queries_count_by_themselves_when_they_are_padded(subject):
    """The mean loss is over real queries of all tasks, as Keras reports it."""
    with precision("float64"):
        made = subject("maml", batch_normalization="support")
        batch = made.batch(varied=True)
        learner = made.learner()
        learner.compile(keras.optimizers.SGD(0.0))
        trained = learner.train_on_batch(*batch, return_dict=True)["loss"]
        tested = learner.test_on_batch(*batch, return_dict=True)["loss"]
    assert trained == pytest.approx(tested, rel=1e-9)


@pytest.mark.exhaustive
def test_derivative_order_annealing_begins_in_first_order(subject):
    with precision("float64"):
        options = {"multi_step_loss_steps": 0, "per_step_batch_normalization": False}
        annealed = subject("maml_plus_plus", first_order_steps=1, **options)
        batch = annealed.batch()
        first = subject("maml_plus_plus", first_order=True, **options)
        second = subject("maml_plus_plus", **options)
        learner = annealed.learner()
        begun, _ = step_of(learner, batch)
        assert_same(begun, step_of(first.learner(), batch)[0], 1e-12)
        learner = annealed.learner()
        learner.compile(keras.optimizers.SGD(0.0))
        learner.train_on_batch(*batch)
        learner.optimizer.learning_rate = 1.0
        before = [v.numpy() for v in learner.trainable_variables]
        learner.train_on_batch(*batch)
        later = [
            b - v.numpy()
            for b, v in zip(before, learner.trainable_variables, strict=False)
        ]
        assert_same(later, step_of(second.learner(), batch)[0], 1e-12)


@pytest.mark.exhaustive
def test_all_remedies_off_is_maml(subject):
    with precision("float64"):
        off = subject(
            "maml_plus_plus",
            per_step_rates=False,
            multi_step_loss_steps=0,
            per_step_batch_normalization=False,
            inner_learning_rate=0.1,
        )
        batch = off.batch()
        assert_same(
            step_of(off.learner(), batch)[0],
            step_of(subject("maml").learner(), batch)[0],
            1e-13,
        )


def test_weights_of_the_losses_after_each_step(subject):
    learner = subject("maml_plus_plus", multi_step_loss_steps=100, inner_steps=4)
    learner = learner.learner()
    learner.compile("sgd")
    for iteration, earlier in ((0, 0.25), (50, 0.125), (99, 0.0075)):
        learner.optimizer.iterations.assign(iteration)
        expected = [earlier] * 3 + [1 - 3 * earlier]
        np.testing.assert_allclose(learner.query_loss_weights(), expected, rtol=1e-5)


@pytest.mark.exhaustive
def test_memory_does_not_grow(subject):
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    made = subject("maml")
    episodes: Episodes = made.episodes()
    learner = made.compiled("sgd")
    data = episodes.as_dataset()
    learner.fit(data, steps_per_epoch=50, verbose=0)
    before = resident()
    learner.fit(data, steps_per_epoch=200, verbose=0)
    assert resident() - before < 20 * 2**20
