"""Curves and ink of the generated characters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.datasets.glyphs.drawing import (
    CONTROLS,
    SIDE,
    STROKES,
    bell,
    draw,
    print_characters,
    rasterise,
    trace,
)


def line(begin, end, samples=65):
    """One drawing of one straight stroke."""
    steps = np.linspace(0, 1, samples)[:, None]
    return (np.array(begin) + steps * (np.array(end) - np.array(begin)))[None, None]


HERE = np.ones((1, 1), bool)


def test_bell_is_centred_standardised_and_bounded():
    noise = bell(np.random.default_rng(0), 200_000)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert abs(noise).max() <= 3


def test_bell_is_reproducible_and_shaped():
    first, again = (bell(np.random.default_rng(3), 4, 5) for _ in range(2))
    assert first.shape == (4, 5)
    np.testing.assert_array_equal(first, again)


@given(seed=st.integers(0, 2**32), curviness=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_curves_pass_through_their_control_points(seed, curviness):
    controls = np.random.default_rng(seed).normal(size=(3, CONTROLS, 2))
    points = trace(controls, curviness)
    step = (points.shape[1] - 1) // (CONTROLS - 1)
    np.testing.assert_allclose(points[:, ::step], controls, atol=1e-12)


def test_no_curviness_is_straight_pieces():
    controls = np.random.default_rng(0).normal(size=(CONTROLS, 2))
    points = trace(controls, 0.0)
    at = np.linspace(0, CONTROLS - 1, len(points))
    expected = [np.interp(at, np.arange(CONTROLS), controls[:, c]) for c in (0, 1)]
    np.testing.assert_allclose(points, np.stack(expected, axis=-1), atol=1e-12)


def test_full_curviness_is_smooth():
    """Catmull-Rom: through an inner point the curve runs as its neighbours lie."""
    controls = np.random.default_rng(1).normal(size=(CONTROLS, 2))
    points = trace(controls, 1.0)
    step = (len(points) - 1) // (CONTROLS - 1)
    for inner in range(1, CONTROLS - 1):
        at = inner * step
        chord = (controls[inner + 1] - controls[inner - 1]) / 2 / step
        # The central difference misses the tangent by second-order terms only.
        slope = (points[at + 1] - points[at - 1]) / 2
        bound = 4 * abs(controls).max() / step**2
        np.testing.assert_allclose(slope, chord, atol=bound)


@pytest.mark.parametrize("pen", [0.5, 1.0])
def test_ink_is_proportional_to_length_and_pen(pen):
    for begin, end in [((4, 13), (20, 13)), ((9, 5), (9, 21)), ((6, 6), (18, 22))]:
        picture = rasterise(line(begin, end), HERE, np.array([pen]))
        length = np.hypot(end[0] - begin[0], end[1] - begin[1])
        # Each inked pixel loses less than a grey level, each of 64 moves less
        # than half a sixteenth of a pixel.
        lost = np.count_nonzero(picture) + 255 * pen * 64 / 32
        assert abs(picture.sum() - 255 * pen * length) <= lost


def test_a_line_lies_where_it_was_put():
    picture = rasterise(line((4, 9), (20, 9)), HERE, np.array([2.0]))[0]
    # x runs to the right, y downwards; the profile is (1, 2, 1) / 4.
    assert (picture[9, 6:18] == 255).all()
    assert (picture[[8, 10], 6:18] == 127).all()
    assert picture[:8].sum() == picture[11:].sum() == 0
    assert picture[:, :3].sum() == picture[:, 22:].sum() == 0


def test_more_ink_is_a_thicker_line():
    points = np.repeat(line((4, 9), (20, 9)), 3, axis=0)
    pictures = rasterise(points, np.ones((3, 1), bool), np.array([1.5, 2.5, 4.0]))
    black = (pictures == 255).sum(axis=(1, 2))
    assert black[0] == 0 < black[1] < black[2]


def test_a_turned_paper_turns_the_picture():
    points = np.random.default_rng(0).uniform(3, 24, size=(5, 2, 9, 2))
    points = np.rint(points * 16) / 16
    present, pen = np.ones((5, 2), bool), np.full(5, 2.0)
    pictures = rasterise(points, present, pen)
    swapped = rasterise(points[..., ::-1], present, pen)
    np.testing.assert_array_equal(swapped, pictures.transpose(0, 2, 1))


def test_absent_strokes_and_strokes_off_the_paper_leave_no_ink():
    points = line((4, 9), (20, 9))
    assert not rasterise(points, ~HERE, np.array([3.0])).any()
    for far in (-100.0, 100.0):
        assert not rasterise(points + far, HERE, np.array([3.0])).any()


def test_drawings_do_not_influence_each_other():
    rng = np.random.default_rng(0)
    points = rng.uniform(-3, 31, size=(6, STROKES, 20, 2))
    present, pen = rng.random((6, STROKES)) < 0.7, rng.uniform(1, 4, 6)
    together = rasterise(points, present, pen)
    for i in range(6):
        alone = rasterise(points[i : i + 1], present[i : i + 1], pen[i : i + 1])
        np.testing.assert_array_equal(together[i], alone[0])


def test_the_last_bits_of_a_float_do_not_show():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 27, size=(200, 2, 65, 2))
    present, pen = np.ones((200, 2), bool), np.full(200, 2.2)
    noise = 1e-13 * rng.standard_normal(points.shape)
    np.testing.assert_array_equal(
        rasterise(points, present, pen), rasterise(points + noise, present, pen)
    )


def test_draw_varies_and_groups_by_character():
    rng = np.random.default_rng(0)
    controls = rng.uniform(-1, 1, size=(2, STROKES, CONTROLS, 2))
    present = np.array([[True, False, False, False], [True, True, False, False]])
    pictures = draw(controls, present, 0.5, 10, np.random.default_rng(1))
    assert pictures.shape == (20, SIDE, SIDE)
    assert len({picture.tobytes() for picture in pictures}) == 20
    printed = print_characters(controls, present, 0.5).astype(float)
    means = pictures.reshape(2, 10, SIDE, SIDE).mean(axis=1)
    distances = ((means[:, None] - printed[None]) ** 2).sum(axis=(2, 3))
    np.testing.assert_array_equal(distances.argmin(axis=1), [0, 1])
