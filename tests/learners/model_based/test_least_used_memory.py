"""The memory against its equations, step by step, and what it can hold."""

import numpy as np
import pytest
import tensorflow as tf
from memory_by_hand import first_state, step, weights_of

from tfmeta.learners.model_based.least_used_memory import LeastUsedMemory

SIZES = {"units": 5, "slots": 7, "width": 3, "heads": 2}
FEATURES, TASKS, STEPS = 4, 2, 12


def made(**options):
    reader = LeastUsedMemory(**{**SIZES, "seed": 0, **options}, dtype="float64")
    reader.build((None, None, FEATURES))
    rng = np.random.default_rng(0)
    reader.set_weights([rng.normal(size=w.shape) for w in reader.weights])
    return reader


def sequences(steps=STEPS):
    inputs = np.random.default_rng(1).normal(size=(TASKS, steps, FEATURES))
    return tf.constant(inputs), tf.ones([TASKS, steps], tf.bool)


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_every_step_is_that_of_the_equations(strength):
    reader = made(key_strength=strength)
    weights = weights_of(reader)
    # Twelve steps write 24 times into seven slots: used ones are taken again.
    inputs, real = sequences()
    outputs, end = reader(inputs, reader.first_state(TASKS), real)
    for task in range(TASKS):
        state = first_state(**SIZES)
        for t in range(STEPS):
            wanted, state = step(
                weights,
                inputs[task, t].numpy(),
                state,
                heads=2,
                decay=0.95,
                strength=strength,
            )
            np.testing.assert_allclose(outputs[task, t], wanted, rtol=1e-10)
        for name, part in end.items():
            np.testing.assert_allclose(
                part[task], state[name], rtol=1e-10, atol=1e-14, err_msg=name
            )


def test_steps_that_are_not_real_change_nothing():
    reader = made()
    inputs, real = sequences()
    first = [0, 1, 2, 5, 6]
    real = tf.constant([[t in first for t in range(STEPS)]] * TASKS)
    _, end = reader(inputs, reader.first_state(TASKS), real)
    alone = tf.gather(inputs, first, axis=1)
    _, wanted = reader(alone, reader.first_state(TASKS), tf.ones([TASKS, 5], tf.bool))
    for name, part in wanted.items():
        np.testing.assert_array_equal(end[name], part, err_msg=name)


def test_reading_goes_on_where_it_stopped():
    reader = made()
    inputs, real = sequences()
    outputs, end = reader(inputs, reader.first_state(TASKS), real)
    first, state = reader(inputs[:, :5], reader.first_state(TASKS), real[:, :5])
    second, state = reader(inputs[:, 5:], state, real[:, 5:])
    np.testing.assert_allclose(tf.concat([first, second], 1), outputs, rtol=1e-12)
    for name, part in end.items():
        np.testing.assert_allclose(state[name], part, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("training", "jit_compile"), [(False, False), (True, False), (True, True)]
)
@pytest.mark.parametrize("padded", [False, True])
def test_the_gradient_is_that_of_central_differences(padded, training, jit_compile):
    reader = made(key_strength=3.0)
    inputs, real = sequences()
    if padded:
        real = tf.constant(np.random.default_rng(2).random((TASKS, STEPS)) < 0.7)
    rng = np.random.default_rng(3)
    # From a state of which something was read, and towards all that comes out but the
    # uses, of which no derivative is taken.
    _, state = reader(inputs, reader.first_state(TASKS), real)
    usage = state.pop("usage")
    towards = {name: rng.normal(size=part.shape) for name, part in state.items()}
    towards_outputs = rng.normal(size=(TASKS, STEPS, reader.output_size))

    @tf.function(jit_compile=jit_compile)
    def loss(inputs, state):
        before = {**state, "usage": usage}
        outputs, end = reader(inputs, before, real, training=training)
        return tf.reduce_sum(outputs * towards_outputs) + tf.add_n(
            [tf.reduce_sum(end[name] * by) for name, by in towards.items()]
        )

    @tf.function(jit_compile=jit_compile)
    def gradients(inputs, state):
        weights = [w.value for w in reader.trainable_weights]
        with tf.GradientTape() as tape:
            tape.watch([inputs, state])
            value = loss(inputs, state)
        return tape.gradient(value, [weights, inputs, state])

    of_weights, of_inputs, of_state = gradients(inputs, state)

    def slope(change):
        ends = [change(sign * 1e-6) for sign in (1, -1)]
        return float(ends[0] - ends[1]) / 2e-6

    for weight, gradient in zip(reader.trainable_weights, of_weights, strict=True):
        start, direction = weight.numpy(), rng.normal(size=weight.shape)

        def changed(size, weight=weight, start=start, direction=direction):
            weight.assign(start + size * direction)
            return loss(inputs, state)

        wanted = slope(changed)
        weight.assign(start)
        found = float(tf.reduce_sum(gradient * direction))
        assert found == pytest.approx(wanted, rel=1e-5), weight.path
    for name, part in {"inputs": inputs, **state}.items():
        direction = tf.constant(rng.normal(size=part.shape))

        def moved(size, name=name, direction=direction):
            if name == "inputs":
                return loss(inputs + size * direction, state)
            return loss(inputs, {**state, name: state[name] + size * direction})

        gradient = of_inputs if name == "inputs" else of_state[name]
        found = float(tf.reduce_sum(gradient * direction))
        assert found == pytest.approx(slope(moved), rel=1e-5, abs=1e-8), name


def test_what_is_written_is_found_again():
    # Without a gate, heads write to unused slots alone, and each slot keeps its own.
    reader = made(slots=10, heads=1)
    reader.gate.bias.assign([-50.0])
    reader.gate.kernel.assign(np.zeros((5, 1)))
    inputs, real = sequences(4)
    outputs, end = reader(inputs, reader.first_state(TASKS), real)
    written = np.tanh(reader.content(outputs[:, :, :5]).numpy())
    memory = end["memory"].numpy()
    for task in range(TASKS):
        for row in written[task]:
            assert np.abs(memory[task] - row).sum(axis=1).min() < 1e-12


def test_config():
    reader = made(usage_decay=0.5)
    again = LeastUsedMemory.from_config(reader.get_config())
    assert again.get_config() == reader.get_config()
