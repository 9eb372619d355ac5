import keras_tuner
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmeta.tuning.search_space import choose, choose_on_log_scale, several


def test_one_value_and_several() -> None:
    assert several("filters", 64) == (64,)
    assert several("distance", "cosine") == ("cosine",)
    assert several("filters", [8, 16, 8]) == (8, 16)
    assert several("augment", (False, True)) == (False, True)
    # keras-tuner takes no NumPy numbers.
    (number,) = several("filters", np.int64(4))
    numbers = several("filters", np.array([8, 4]))
    assert [type(n) for n in (number, *numbers)] == [int] * 3


def test_options_must_not_be_empty() -> None:
    with pytest.raises(ValueError, match="`filters` must hold .* Received: \\[\\]"):
        several("filters", [])


@pytest.mark.parametrize("value", [3, 0.5, "cosine", True])
def test_a_single_value_is_fixed(value: object) -> None:
    hp = keras_tuner.HyperParameters()
    chosen = choose(hp, "x", (value,))
    assert chosen == value and type(chosen) is type(value)
    assert [type(p).__name__ for p in hp.space] == ["Fixed"]


def test_booleans_stay_booleans() -> None:
    hp = keras_tuner.HyperParameters()
    assert choose(hp, "augment", (True, False)) is True
    (parameter,) = hp.space
    samples = [parameter.random_sample(seed) for seed in range(20)]
    assert {type(s) for s in samples} == {bool} and set(samples) == {False, True}


@given(
    values=st.lists(st.integers(1, 99), min_size=2, max_size=6, unique=True),
    seed=st.integers(0, 2**31),
)
def test_choices_are_drawn_from_the_values(values: list[int], seed: int) -> None:
    hp = keras_tuner.HyperParameters()
    assert choose(hp, "ways", tuple(values)) == values[0]
    (parameter,) = hp.space
    assert parameter.random_sample(seed) in values


@given(
    low=st.floats(1e-6, 1e-2),
    ratio=st.floats(1.001, 1e4),
    seed=st.integers(0, 2**31),
)
def test_log_scale_stays_in_its_range(low: float, ratio: float, seed: int) -> None:
    hp = keras_tuner.HyperParameters()
    default = choose_on_log_scale(hp, "rate", low, low * ratio)
    assert np.log(default / low) == pytest.approx(np.log(ratio) / 2)
    (parameter,) = hp.space
    sample = parameter.random_sample(seed)
    assert low * (1 - 1e-9) <= sample <= low * ratio * (1 + 1e-9)


def test_log_scale_is_uniform_in_the_logarithm() -> None:
    hp = keras_tuner.HyperParameters()
    choose_on_log_scale(hp, "rate", 1e-4, 1e-2)
    (parameter,) = hp.space
    # Equal steps of probability are equal factors.
    rates = [parameter.prob_to_value(p) for p in (0.25, 0.5, 0.75)]
    np.testing.assert_allclose(rates, 10.0 ** np.array([-3.5, -3.0, -2.5]))


def test_log_scale_of_one_value() -> None:
    hp = keras_tuner.HyperParameters()
    assert choose_on_log_scale(hp, "rate", 1e-3, 1e-3) == 1e-3
    assert [type(p).__name__ for p in hp.space] == ["Fixed"]
