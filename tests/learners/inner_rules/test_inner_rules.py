"""Inner rules against plain NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.learners.inner_loop import gradients_of, run_inner_loop
from tfmeta.learners.inner_rules import (
    Adam,
    CarriedAdam,
    ClipByNorm,
    DecayWeights,
    LSTMRule,
    PerParameterRates,
    PerStepRates,
    RunningMean,
    Scale,
    apply_updates,
    chain,
)
from tfmeta.learners.inner_rules.lstm import log_and_sign
from tfmeta.learners.inner_rules.rule import find_updates


def updates(rule, parameters, gradients, losses):
    """Parameters after each step, from given gradients."""
    values = [tf.constant(p) for p in parameters]
    state, found = rule.init(values), []
    for step, (of_step, loss) in enumerate(zip(gradients, losses, strict=True)):
        found_updates, state = find_updates(
            rule,
            [tf.constant(g) for g in of_step],
            state,
            values,
            step=step,
            loss=tf.constant(loss),
        )
        values = apply_updates(values, found_updates)
        found.append([v.numpy() for v in values])
    return found


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    shapes = [(2, 3), (3,)]

    def draw():
        return [rng.normal(size=shape) for shape in shapes]

    return draw(), [draw() for _ in range(3)], rng.random(3)


def test_gradient_descent(drawn):
    parameters, gradients, losses = drawn
    expected = [p.copy() for p in parameters]
    for found, of_step in zip(updates(Scale(-0.3), *drawn), gradients, strict=True):
        expected = [p - 0.3 * g for p, g in zip(expected, of_step, strict=True)]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("beta_1", [0.0, 0.9])
def test_adam(drawn, beta_1):
    parameters, gradients, losses = drawn
    found = updates(Adam(0.1, beta_1=beta_1, beta_2=0.99), *drawn)
    for number, p in enumerate(parameters):
        m = v = 0.0
        for step in range(3):
            g = gradients[step][number]
            m = beta_1 * m + (1 - beta_1) * g
            v = 0.99 * v + 0.01 * g**2
            corrected = m / (1 - beta_1 ** (step + 1)), v / (1 - 0.99 ** (step + 1))
            p = p - 0.1 * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
            np.testing.assert_allclose(found[step][number], p, rtol=1e-12)


def test_carried_adam_goes_on_where_the_last_task_ended(drawn):
    parameters, gradients, losses = drawn
    rule = CarriedAdam([p.shape for p in parameters], 0.1, beta_2=0.99, dtype="float64")
    seconds = [np.square(p) + 0.01 for p in parameters]
    for variable, value in zip(rule.carried_variables(), [*seconds, 7], strict=True):
        variable.assign(value)
    found = updates(rule, *drawn)
    for number, p in enumerate(parameters):
        v = seconds[number]
        for step in range(3):
            g = gradients[step][number]
            v = 0.99 * v + 0.01 * g**2
            p = p - 0.1 * g / (np.sqrt(v / (1 - 0.99 ** (step + 8))) + 1e-8)
            np.testing.assert_allclose(found[step][number], p, rtol=1e-12)
    assert not rule.trainable_variables


def test_learned_rates(drawn):
    parameters, gradients, _ = drawn
    rule = PerParameterRates([(2, 1), (3,)], 0.1, dtype="float64")
    rates = [np.array([[0.5], [-0.2]]), np.array([1.0, 2.0, 3.0])]
    for variable, value in zip(rule.rates, rates, strict=True):
        np.testing.assert_allclose(variable, np.full(value.shape, 0.1))
        variable.assign(value)
    (found, *_) = updates(rule, *drawn)
    for a, p, r, g in zip(found, parameters, rates, gradients[0], strict=True):
        np.testing.assert_allclose(a, p - r * g, rtol=1e-14)


def test_rates_of_a_step_and_the_last_ones_beyond(drawn):
    parameters, gradients, _ = drawn
    rule = PerStepRates(2, 2, 0.1, dtype="float64")
    rates = np.array([[0.5, 0.25], [2.0, -1.0]])
    rule.rates.assign(rates)
    expected = parameters
    for step, found in enumerate(updates(rule, *drawn)):
        of_step = rates[min(step, 1)]
        expected = [
            p - r * g
            for p, r, g in zip(expected, of_step, gradients[step], strict=True)
        ]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)


def test_numbers_by_logarithm_and_sign():
    """Andrychowicz 2016, appendix A, with p = 10."""
    x = np.array([[1.0], [-np.e], [np.exp(-5.0)], [0.0], [1e-6], [-1e-6]])
    expected = [[0, 1], [0.1, -1], [-0.5, 1], [-1, 0]]
    expected += [[-1, s * 1e-6 * np.exp(10)] for s in (1, -1)]
    np.testing.assert_allclose(log_and_sign(tf.constant(x)), expected, rtol=1e-12)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_lstm_rule_coordinate_by_coordinate(drawn):
    """Ravi and Larochelle 2017, one number after the other."""
    units = 4
    rule = LSTMRule(units, seed=0, dtype="float64")
    assert 4 < float(rule.forget_bias[0]) < 5 and -5 < float(rule.input_bias[0]) < -4
    rng = np.random.default_rng(1)
    for variable in rule.weights:  # Large, so that every term shows.
        variable.assign(rng.normal(size=variable.shape))
    w = {v.name: v.numpy() for v in rule.weights}
    parameters, gradients, losses = drawn
    found = updates(rule, *drawn)

    def prepare(x):
        if abs(x) > np.exp(-10):
            return [np.log(abs(x)) / 10, np.sign(x)]
        return [-1.0, np.exp(10) * x]

    for number, part in enumerate(parameters):
        for index, theta in np.ndenumerate(part):
            hidden = cell = np.zeros(units)
            forget = take = 0.0
            for step in range(3):
                g = gradients[step][number][index]
                read = np.array([*prepare(losses[step]), *prepare(g), *hidden])
                gates = read @ w["kernel"] + w["bias"]
                i, f, n, o = np.split(gates, 4)
                cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(n)
                hidden = sigmoid(o) * np.tanh(cell)
                forget, take = (
                    np.array([*hidden, theta, before]) @ w[f"{name}_kernel"][:, 0]
                    + w[f"{name}_bias"][0]
                    for name, before in (("forget", forget), ("input", take))
                )
                theta = sigmoid(forget) * theta - sigmoid(take) * g
                np.testing.assert_allclose(found[step][number][index], theta, rtol=1e-9)


def test_many_steps_run_in_a_loop_with_the_same_result():
    """Twelve steps written out, and as a `tf.while_loop`."""

    def loss(parameters, step):
        return tf.reduce_sum(parameters[0] ** 4) + tf.cast(step, tf.float64) * (
            tf.reduce_sum(parameters[0])
        )

    seen = []
    start = [tf.constant([0.3, -0.2], tf.float64)]
    rates = PerStepRates(1, 5, 0.05, dtype="float64")
    mean = chain(ClipByNorm(0.5), RunningMean(0.9), Scale(-0.05))
    for rule in (Adam(0.05), rates, chain(ClipByNorm(0.5), rates), mean):
        written, _ = run_inner_loop(
            gradients_of(loss),
            rule,
            start,
            steps=12,
            after_step=lambda p, step: seen.append(step),
        )
        looped, _ = tf.function(
            lambda r=rule: run_inner_loop(gradients_of(loss), r, start, steps=12)
        )()
        np.testing.assert_allclose(written[0], looped[0], rtol=1e-12)
        assert seen[-12:] == list(range(12))


def test_gradient_of_a_quadratic_by_hand():
    """Of (1 - 2 a)^2n x^2, through the inner steps and in first order."""
    x = tf.constant([1.5], tf.float64)
    for first_order, factor in ((False, 0.8), (True, 1.0)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            (end,), _ = run_inner_loop(
                gradients_of(
                    lambda p, step: tf.reduce_sum(p[0] ** 2), first_order=first_order
                ),
                Scale(-0.1),
                [x],
                steps=3,
            )
            outer = tf.reduce_sum(end**2)
        expected = 2 * 1.5 * 0.8**3 * factor**3
        np.testing.assert_allclose(tape.gradient(outer, x), [expected], rtol=1e-12)


def test_a_chain_follows_its_rules_in_their_order(drawn):
    """Clipped, decayed, averaged, scaled: torch.optim.SGD on clipped gradients."""
    parameters, gradients, _ = drawn
    expected, means = [p.copy() for p in parameters], None
    rule = chain(ClipByNorm(1.5), DecayWeights(0.1), RunningMean(0.9), Scale(-0.3))
    for found, of_step in zip(updates(rule, *drawn), gradients, strict=True):
        norm = np.sqrt(sum(np.sum(g**2) for g in of_step))
        assert norm > 1.5
        decayed = [
            g * 1.5 / norm + 0.1 * p for g, p in zip(of_step, expected, strict=True)
        ]
        if means is None:
            means = decayed
        means = [0.9 * m + 0.1 * g for m, g in zip(means, decayed, strict=True)]
        expected = [p - 0.3 * m for p, m in zip(expected, means, strict=True)]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_short_gradients_are_not_clipped_and_none_has_a_derivative():
    rule = ClipByNorm(5.0)
    short = [tf.constant([3.0], tf.float64), tf.constant([0.0], tf.float64)]
    np.testing.assert_array_equal(rule.update(short, (), short)[0], [[3.0], [0.0]])
    x = tf.zeros([2], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        (clipped,), _ = rule.update([3.0 * x], (), [x])
    np.testing.assert_array_equal(tape.gradient(clipped, x), [3.0, 3.0])
    (odd,), _ = rule.update([tf.constant([np.inf, 1.0])], (), [])
    assert not np.isfinite(odd[0])


def test_a_chain_tells_each_rule_what_it_asks_for(drawn):
    """The rates of a step and the LSTM's loss travel through chains of chains."""
    parameters, _, _ = drawn
    rates = PerStepRates(2, 3, 0.1, dtype="float64")
    rates.rates.assign(np.arange(6.0).reshape(3, 2))
    lstm = LSTMRule(3, seed=0, dtype="float64")
    for rule in (rates, lstm):
        for plain, chained in zip(
            updates(rule, *drawn),
            updates(chain(Scale(2.0), chain(Scale(0.5), rule)), *drawn),
            strict=True,
        ):
            for a, b in zip(plain, chained, strict=True):
                np.testing.assert_array_equal(a, b)


def test_weights_in_a_chain_are_its_own():
    rates = PerParameterRates([(2,)], 0.1)
    assert chain(ClipByNorm(1.0), rates).trainable_variables == rates.rates


def test_what_replaces_parameters_ends_a_chain(drawn):
    rule = chain(LSTMRule(3, seed=0, dtype="float64"), Scale(0.5))
    with pytest.raises(ValueError, match="`rules` must end.*followed by Scale"):
        updates(rule, *drawn)
