"""What updates were worth, with intervals."""

import json

import numpy as np
import pytest
from scipy import stats

from tfmeta.control.returns_result import ReturnsResult

PROTOCOL = {
    **{"family": "navigation", "task_arguments": {}, "tasks": 4, "updates": 1},
    **{"trajectories": 20, "seed": 0},
}
RETURNS = np.array([[-4.0, -3.0, -5.0, -8.0], [-1.0, -2.0, -3.0, -4.0]])


def test_means_and_gains_are_over_tasks():
    result = ReturnsResult(PROTOCOL, "MAML", RETURNS)
    gains = RETURNS[1] - RETURNS[0]
    half = stats.t.ppf(0.975, 3) * np.std(gains, ddof=1) / 2
    assert result.mean(0).mean == -5.0
    assert result.gain(1).mean == pytest.approx(2.5)
    assert result.gain(1).half_width == pytest.approx(half)
    text = str(result)
    assert "4 test tasks, 20 trajectories" in text and "+2.5 ±" in text


def test_round_trip_and_what_is_none():
    result = ReturnsResult(PROTOCOL, "MAML", RETURNS)
    again = ReturnsResult.from_json(json.loads(json.dumps(result.to_json())))
    np.testing.assert_array_equal(again.returns, RETURNS)
    assert again.protocol == PROTOCOL
    values = result.to_json()
    with pytest.raises(ValueError):
        ReturnsResult.from_json({**values, "returns": [[1.0, 2.0], [1.0]]})
    with pytest.raises(ValueError, match="one length"):
        ReturnsResult.from_json({**values, "returns": []})
    with pytest.raises(ValueError, match="finite"):
        ReturnsResult(PROTOCOL, "MAML", np.array([[np.nan]]))


def test_one_task_has_no_interval():
    text = str(ReturnsResult(PROTOCOL, "MAML", RETURNS[:, :1]))
    assert "no interval" in text and "±" not in text
