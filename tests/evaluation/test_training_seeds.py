import math

import pytest
import scipy.stats
from made_results import made_result

from tfmeta.evaluation import over_training_seeds
from tfmeta.evaluation.intervals import student_t


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30, 1000])
def test_quantiles_against_scipy(degrees):
    expected = scipy.stats.t.ppf(0.975, degrees)
    assert student_t(degrees) == pytest.approx(expected, rel=1e-9)


def test_spread_by_hand():
    found = over_training_seeds(
        [made_result([0.5, 0.7]), made_result([0.6, 0.9]), made_result([0.7, 0.5])]
    )
    assert found.accuracies == pytest.approx((0.6, 0.75, 0.6))
    assert found.mean == pytest.approx(0.65)
    deviation = math.sqrt((0.05**2 + 0.1**2 + 0.05**2) / 2)
    assert found.standard_deviation == pytest.approx(deviation)
    low, high = scipy.stats.t.interval(0.95, 2, 0.65, deviation / math.sqrt(3))
    assert found.half_width == pytest.approx((high - low) / 2)
    for part in ("65.00 %, mean of 3 trainings", f"{100 * deviation:.2f}", "seeds"):
        assert part in str(found)


def test_equal_trainings_have_no_spread():
    found = over_training_seeds([made_result([0.5, 0.7])] * 2)
    assert (found.standard_deviation, found.half_width) == (0, 0)


def test_what_has_no_spread_is_refused():
    result = made_result([0.5, 0.7])
    with pytest.raises(ValueError, match="at least 2 trainings.*1"):
        over_training_seeds([result])
    with pytest.raises(ValueError, match="`ways` must agree.*5 and 20"):
        over_training_seeds([result, result, made_result([0.5, 0.7], ways=20)])
