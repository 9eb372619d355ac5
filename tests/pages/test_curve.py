import math

import pytest

from tfmeta.estimation.expectation import CurvePoint, Share
from tfmeta.pages.curve import draw_curve


def points_of(drawn, kind):
    (part,) = [one for one in drawn.iter("g") if one.get("class") == kind]
    (line,) = part.iter("polyline")
    return [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]


def share(value, spread=0.05):
    return Share(value, max(0, value - spread), min(1, value + spread), 100)


def test_shots_are_on_a_logarithmic_scale_and_shares_on_a_linear_one():
    curve = [CurvePoint(n, share(v)) for n, v in ((1, 0.5), (2, 0.7), (8, 0.9))]
    drawn = draw_curve(curve, chance=0.2, title="")
    (x1, y1), (x2, y2), (x3, y3) = points_of(drawn, "measured")
    assert (x2 - x1) / (x3 - x1) == pytest.approx(math.log(2) / math.log(8), abs=1e-3)
    assert (y1 - y2) / (y1 - y3) == pytest.approx(0.2 / 0.4, abs=2e-3)
    assert y1 > y2 > y3


def test_the_continuation_goes_on_from_what_was_measured():
    curve = [
        CurvePoint(5, share(0.8)),
        CurvePoint(10, share(0.9)),
        CurvePoint(20, share(0.93), measured=False),
    ]
    drawn = draw_curve(curve, chance=0.2, title="a <title>")
    solid, dashed = points_of(drawn, "measured"), points_of(drawn, "continued")
    assert dashed[0] == solid[-1]
    assert (len(solid), len(dashed)) == (2, 2)
    assert drawn.find("title").text == "a <title>"


@pytest.mark.parametrize(
    "curve",
    [
        [CurvePoint(1, share(1.0, 0.0))],
        [CurvePoint(3, share(0.0, 0.0))],
        [CurvePoint(n, share(0.99, 0.005)) for n in (1, 2, 5, 10, 20, 50, 51, 100)],
        [CurvePoint(1, Share(0.5, 0.0, 1.0, 1)), CurvePoint(1000, share(1.0))],
    ],
)
def test_every_curve_stays_within_its_drawing(curve):
    drawn = draw_curve(curve, chance=0.5, title="")
    width, height = map(float, drawn.get("viewBox").split()[2:])
    for one in drawn.iter():
        for name, most in (("x", width), ("cx", width), ("x1", width), ("x2", width)):
            assert 0 <= float(one.get(name, 0)) <= most
        for name in ("y", "cy", "y1", "y2"):
            assert 0 <= float(one.get(name, 0)) <= height
