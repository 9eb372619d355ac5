"""The memory against its equations, step by step, and what it can hold."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from memory_by_hand import first_state, step, weights_of

from tfmeta.learners.model_based.least_used_memory import LeastUsedMemoryCell

SIZES = {"units": 5, "slots": 7, "width": 3, "heads": 2}
FEATURES = 4


def made(**options):
    cell = LeastUsedMemoryCell(**{**SIZES, "seed": 0, **options}, dtype="float64")
    cell.build((None, FEATURES))
    rng = np.random.default_rng(0)
    cell.set_weights([rng.normal(size=w.shape) for w in cell.weights])
    return cell


def test_every_step_is_that_of_the_equations():
    cell = made()
    weights = weights_of(cell)
    inputs = np.random.default_rng(1).normal(size=(2, 12, FEATURES))
    flat = cell.get_initial_state(batch_size=2)
    states = [first_state(**SIZES) for _ in range(2)]
    # Twelve steps write 24 times into seven slots: used ones are taken again.
    for t in range(12):
        outputs, flat = cell(tf.constant(inputs[:, t]), flat)
        for task in range(2):
            wanted, states[task] = step(
                weights, inputs[task, t], states[task], heads=2, decay=0.95
            )
            np.testing.assert_allclose(outputs[task], wanted, rtol=1e-11)
            for (name, shape), part in zip(cell.parts.items(), flat, strict=True):
                np.testing.assert_allclose(
                    part[task].numpy().reshape(shape),
                    states[task][name],
                    rtol=1e-10,
                    atol=1e-14,
                    err_msg=f"{name} after step {t}",
                )


def test_the_gradient_is_that_of_central_differences():
    cell = made()
    inputs = tf.constant(np.random.default_rng(2).normal(size=(1, 4, FEATURES)))
    towards = tf.constant(np.random.default_rng(3).normal(size=(1, cell.output_size)))
    reader = keras.layers.RNN(cell, dtype="float64")

    def loss():
        return float(tf.reduce_sum(reader(inputs) * towards))

    with tf.GradientTape() as tape:
        value = tf.reduce_sum(reader(inputs) * towards)
    gradients = tape.gradient(value, [w.value for w in cell.trainable_weights])
    rng = np.random.default_rng(4)
    for weight, gradient in zip(cell.trainable_weights, gradients, strict=True):
        start = weight.numpy()
        direction = rng.normal(size=start.shape)
        ends = []
        for sign in (1, -1):
            weight.assign(start + sign * 1e-6 * direction)
            ends.append(loss())
        weight.assign(start)
        slope = (ends[0] - ends[1]) / 2e-6
        assert slope == pytest.approx(float(np.sum(gradient * direction)), rel=1e-5)


def test_what_is_written_is_found_again():
    # Without a gate, heads write to unused slots alone, and each slot keeps its own.
    cell = made(slots=10, heads=1)
    cell.gate.bias.assign([-50.0])
    cell.gate.kernel.assign(np.zeros((5, 1)))
    flat = cell.get_initial_state(batch_size=1)
    written = []
    for row in np.random.default_rng(5).normal(size=(4, 1, FEATURES)):
        outputs, flat = cell(tf.constant(row), flat)
        hidden = outputs[:, :5]
        written.append(np.tanh(cell.content(hidden).numpy())[0])
    memory = flat[-1].numpy().reshape(10, 3)
    for row in written:
        assert np.abs(memory - row).sum(axis=1).min() < 1e-12


def test_config():
    cell = made(usage_decay=0.5)
    again = LeastUsedMemoryCell.from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
