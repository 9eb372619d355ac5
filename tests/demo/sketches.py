"""Invented characters: strokes on a square from -1 to 1, and drawings of them."""

import numpy as np
from PIL import Image, ImageDraw

CHARACTERS = {
    "hook": [[(-0.8, -0.9), (0.5, -0.9), (0.5, 0.6), (0.0, 0.9), (-0.6, 0.5)]],
    "fork": [
        [(-0.9, -0.8), (-0.4, 0.1), (0.4, 0.1), (0.9, -0.8)],
        [(0.0, 0.1), (0.0, 0.95)],
    ],
    "kite": [
        [(0.0, -0.9), (0.7, -0.2), (0.0, 0.4), (-0.7, -0.2), (0.0, -0.9)],
        [(0.0, 0.4), (-0.5, 0.95)],
    ],
}


def by_hand(strokes, seed):
    """The same strokes as a hand draws them again: shifted, turned, not quite there."""
    rng = np.random.default_rng(seed)
    angle, size = rng.uniform(-0.12, 0.12), rng.uniform(0.85, 1.0)
    turn = size * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    shift = rng.uniform(-0.06, 0.06, 2)
    return [
        np.array(stroke) @ turn.T + shift + rng.normal(0, 0.035, (len(stroke), 2))
        for stroke in strokes
    ]


def canvas(strokes, *, side=280, centre=(140, 140), reach=95, pen=20):
    """What a sketchpad gives for strokes: uint8 `(side, side, 4)`, ink by opacity."""
    ink = Image.new("L", (side, side))
    for stroke in strokes:
        points = [tuple(point) for point in np.array(stroke) * reach + centre]
        ImageDraw.Draw(ink).line(points, fill=255, width=pen, joint="curve")
    drawn = np.zeros((side, side, 4), np.uint8)
    drawn[..., 3] = np.asarray(ink)
    return drawn
