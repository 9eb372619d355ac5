"""Pen strokes to pictures: the drawing half of the `glyphs` data set.

A character is a few strokes and a stroke is a curve through `CONTROLS`
points. `draw` varies these as a hand does, `rasterise` puts ink on paper.

The curves are rounded to sixteenths of a pixel and from there on everything is
integer arithmetic, so that the last bit of a sine or the order of a sum, which
differ between machines, do not show in the pictures.
"""

from __future__ import annotations

import numpy as np

SIDE = 28
"""Height and width of a picture, in pixels."""

STROKES = 4
"""The most strokes of a character."""

CONTROLS = 5
"""The control points of a stroke."""

_SAMPLES = 65
_BOX = 10.0  # half the side of the box a character is drawn in, in pixels
_FRACTION_BITS = 4  # positions are counted in sixteenths of a pixel


def bell(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Bell-shaped noise of mean 0 and standard deviation 1 within +-3.

    The sum of three uniform numbers: no far tail that would make a drawing
    illegible, and made of `rng.random` alone, whose bits NumPy does not change.
    """
    return 2.0 * (rng.random((3, *shape)).sum(axis=0) - 1.5)


def _curve_bases() -> tuple[np.ndarray, np.ndarray]:
    """Two matrices `(samples, controls)`: straight pieces, Catmull-Rom curves."""
    straight = np.zeros((_SAMPLES, CONTROLS))
    smooth = np.zeros((_SAMPLES, CONTROLS))
    pieces = CONTROLS - 1
    for row, t in enumerate(np.linspace(0, pieces, _SAMPLES)):
        piece = min(int(t), pieces - 1)
        u = t - piece
        straight[row, piece : piece + 2] = 1 - u, u
        weights = (
            (-u + 2 * u**2 - u**3) / 2,
            (2 - 5 * u**2 + 3 * u**3) / 2,
            (u + 4 * u**2 - 3 * u**3) / 2,
            (-(u**2) + u**3) / 2,
        )
        for offset, weight in zip(range(-1, 3), weights, strict=True):
            # The ends count twice: the curve begins and ends in its points.
            smooth[row, min(max(piece + offset, 0), pieces)] += weight
    return straight, smooth


_STRAIGHT, _SMOOTH = _curve_bases()


def trace(controls: np.ndarray, curviness: float) -> np.ndarray:
    """The points along strokes.

    Args:
        controls: Array of shape `(..., CONTROLS, 2)`.
        curviness: From 0, straight pieces, to 1, smooth curves.

    Returns:
        Array of shape `(..., samples, 2)`.
    """
    basis = (1 - curviness) * _STRAIGHT + curviness * _SMOOTH
    return np.einsum("sk,...kc->...sc", basis, controls)


def rasterise(points: np.ndarray, present: np.ndarray, pen: np.ndarray) -> np.ndarray:
    """Puts ink along curves.

    Ink is laid down in proportion to the length of the curve, spreads over the
    neighbouring pixels and saturates, so that more ink is a thicker line.

    Args:
        points: Array of shape `(drawings, strokes, samples, 2)`: x and y, in
            pixels, of points less than a pixel or two apart.
        present: Bool array of shape `(drawings, strokes)`; other strokes leave
            no ink.
        pen: Array of shape `(drawings,)`: the ink of a pixel's length of
            curve. 2 just blackens the pixels in the middle of the line, 4 the
            pixels beside it, too.

    Returns:
        Uint8 array of shape `(drawings, SIDE, SIDE)`, 255 where the ink is
        full, 0 where there is none.
    """
    one = 1 << _FRACTION_BITS
    fixed = np.rint(points * one).astype(np.int64)
    moves = np.diff(fixed, axis=2)
    # No root of an integer lies halfway between two: rounding is unambiguous.
    lengths = np.rint(np.sqrt((moves**2).sum(axis=-1))).astype(np.int64)
    middles = (fixed[:, :, 1:] + fixed[:, :, :-1]) >> 1

    cells, fractions = middles >> _FRACTION_BITS, middles & (one - 1)
    inked = (
        present[..., None] & (cells >= 0).all(axis=-1) & (cells < SIDE - 1).all(axis=-1)
    )
    drawing = np.nonzero(inked)[0]
    (x, y), (right, low) = cells[inked].T, fractions[inked].T
    lengths = lengths[inked]
    paper = np.zeros(len(points) * SIDE * SIDE, np.int64)
    for dy, share_y in ((0, one - low), (1, low)):
        for dx, share_x in ((0, one - right), (1, right)):
            pixel = (drawing * SIDE + y + dy) * SIDE + x + dx
            ink = lengths * share_y * share_x
            # Float64 sums of integers below 2 ** 53 are exact.
            paper += np.bincount(pixel, ink, len(paper)).astype(np.int64)

    ink = paper.reshape(len(points), SIDE, SIDE)
    padded = np.pad(ink, ((0, 0), (1, 1), (0, 0)))
    ink = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    padded = np.pad(ink, ((0, 0), (0, 0), (1, 1)))
    ink = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    # A pixel's length of curve is now 16 * 16 ** 3 units.
    gain = np.rint(np.asarray(pen) * 256).astype(np.int64)[:, None, None]
    return np.minimum((ink * gain * 255) >> (8 + 4 + 3 * _FRACTION_BITS), 255).astype(
        np.uint8
    )


def print_characters(
    controls: np.ndarray, present: np.ndarray, curviness: float
) -> np.ndarray:
    """Draws each character once, without any variation.

    Args:
        controls: Array of shape `(characters, STROKES, CONTROLS, 2)` within
            the box from -1 to 1.
        present: Bool array of shape `(characters, STROKES)`.
        curviness: As in `trace`.

    Returns:
        Uint8 array of shape `(characters, SIDE, SIDE)`.
    """
    points = _BOX * trace(controls, curviness) + (SIDE - 1) / 2
    return rasterise(points, present, np.full(len(controls), 2.2))


def draw(
    controls: np.ndarray,
    present: np.ndarray,
    curviness: float,
    drawings: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws each character several times, each time a little differently.

    From one drawing to the next the control points, the place and the length
    of each stroke, the slant, turn, size, bend and place of the character and
    the thickness of the pen change.

    Args:
        controls: Array of shape `(characters, STROKES, CONTROLS, 2)` within
            the box from -1 to 1.
        present: Bool array of shape `(characters, STROKES)`.
        curviness: As in `trace`.
        drawings: How often each character is drawn.
        rng: The source of the variation.

    Returns:
        Uint8 array of shape `(characters * drawings, SIDE, SIDE)`, grouped by
        character.
    """
    strokes = np.repeat(controls, drawings, axis=0)
    n = len(strokes)
    # Each stroke for itself; lengths are parts of the box's half side.
    begin = strokes[:, :, :1]
    strokes = begin + (strokes - begin) * (1 + 0.09 * bell(rng, n, STROKES, 1, 1))
    strokes = strokes + 0.07 * bell(rng, n, STROKES, 1, 2)
    strokes = strokes + 0.055 * bell(rng, n, STROKES, CONTROLS, 2)
    points = trace(strokes, curviness)

    # The character as a whole.
    x, y = points[..., 0], points[..., 1]
    bend = 0.09 * bell(rng, 2, n, 1, 1)
    x, y = x + bend[0] * (y**2 - 0.3), y + bend[1] * (x**2 - 0.3)
    x = x + 0.15 * bell(rng, n, 1, 1) * y
    angle = 0.15 * bell(rng, n, 1, 1)
    x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    size = 0.91 + 0.09 * bell(rng, n, 1, 1)
    width, height = size + 0.06 * bell(rng, 2, n, 1, 1)
    place = (SIDE - 1) / 2 + 1.5 * bell(rng, 2, n, 1, 1)
    points = np.stack(
        [_BOX * width * x + place[0], _BOX * height * y + place[1]], axis=-1
    )
    pen = 2.2 + 0.22 * bell(rng, n)
    return rasterise(points, np.repeat(present, drawings, axis=0), pen)
