"""Inventing alphabets: the design half of the `glyphs` data set.

An alphabet has a small stock of stroke shapes, a way of joining them and a
curviness. Its characters are put together from these, and therefore look
related, as those of a real script do (Lake, Salakhutdinov and Tenenbaum, 2015,
*Human-level concept learning through probabilistic program induction*).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.datasets.glyphs.drawing import CONTROLS, SIDE, STROKES, print_characters

# What becomes of the pen's direction at the three inner control points, in
# degrees: a stroke shape is one of these, turned, mirrored and distorted.
_TURNS = np.array(
    [
        (0, 0, 0),  # line
        (35, 35, 35),  # arc
        (70, 70, 70),  # bowl
        (90, 90, 90),  # ring
        (0, 0, 110),  # hook
        (0, 90, 0),  # corner
        (115, -115, 115),  # zigzag
        (60, -60, -60),  # wave
        (15, 80, 110),  # spiral
    ],
    float,
)
_STOCK = 4  # stroke shapes of an alphabet
_CANDIDATES = 3  # characters sketched for each one that is kept
_LEAST_LENGTH = 4.2  # of a character's strokes together, in half box sides


@dataclasses.dataclass(frozen=True)
class Alphabet:
    """Characters that share their stroke shapes.

    Args:
        controls: Float array of shape `(characters, STROKES, CONTROLS, 2)`:
            x and y of the control points, within the box from -1 to 1.
        present: Bool array of shape `(characters, STROKES)`: the strokes that
            a character has.
        curviness: From 0, straight pieces, to 1, smooth curves.
    """

    controls: np.ndarray
    present: np.ndarray
    curviness: float


def invent_alphabet(characters: int, rng: np.random.Generator) -> Alphabet:
    """Invents an alphabet.

    Args:
        characters: How many characters it has.
        rng: The source of the invention.

    Returns:
        The alphabet.
    """
    curviness = float(np.clip(1.6 * rng.random() - 0.2, 0.0, 1.0))
    stock = _stroke_shapes(rng)
    habits = _Habits(
        few=rng.random(),
        joined=0.5 + 0.5 * rng.random(),
        free_turns=0.4 * rng.random(),
        width=0.75 + 0.4 * rng.random(),
        slant=0.4 * (rng.random() - 0.5),
        common=rng.random() < 0.4,
    )
    sketches: list[tuple[np.ndarray, np.ndarray]] = []
    while len(sketches) < _CANDIDATES * characters:
        strokes, there = _sketch(stock, habits, rng)
        # A bar or a plain bow would be the same character in many alphabets.
        moves = np.diff(strokes[there], axis=1)
        if np.sqrt((moves**2).sum(axis=-1)).sum() >= _LEAST_LENGTH:
            sketches.append((strokes, there))
    controls = np.stack([strokes for strokes, _ in sketches])
    present = np.stack([there for _, there in sketches])
    kept = _most_distinct(print_characters(controls, present, curviness), characters)
    return Alphabet(controls[kept], present[kept], curviness)


@dataclasses.dataclass(frozen=True)
class _Habits:
    """What the characters of an alphabet have in common beside their strokes."""

    few: float  # how much the alphabet tends to few strokes
    joined: float  # the probability that a stroke touches an earlier one
    free_turns: float  # the probability that a stroke is turned or mirrored
    width: float  # of the characters, in relation to their height
    slant: float
    common: bool  # whether all characters begin with the same stroke


def _choose(rng: np.random.Generator, n: int) -> int:
    """A number below n, from `rng.random` alone: NumPy does not change its bits."""
    return min(int(rng.random() * n), n - 1)


def _stroke_shapes(rng: np.random.Generator) -> np.ndarray:
    """The stock of an alphabet: `(_STOCK, CONTROLS, 2)`, each begins in (0, 0)."""
    shapes = []
    for kind in np.argsort(rng.random(len(_TURNS)))[:_STOCK]:
        turns = _TURNS[kind] + 30 * (rng.random(3) - 0.5)
        if rng.random() < 0.5:
            turns = -turns
        # Upright, level and oblique strokes are commoner than any other.
        first = 45.0 * _choose(rng, 8) + 20 * (rng.random() - 0.5)
        angles = np.deg2rad(first + np.concatenate([[0.0], np.cumsum(turns)]))
        steps = (0.6 + 0.8 * rng.random(CONTROLS - 1))[:, None]
        moves = steps * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        shape = np.concatenate([np.zeros((1, 2)), np.cumsum(moves, axis=0)])
        extent = np.ptp(shape, axis=0).max()
        shapes.append(shape / extent * (0.7 + 0.6 * rng.random()))
    return np.stack(shapes)


def _sketch(
    stock: np.ndarray, habits: _Habits, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One character: its control points and which of its strokes there are."""
    count = 1 + min(int(rng.random() ** (0.9 + habits.few) * STROKES), STROKES - 1)
    strokes = np.zeros((STROKES, CONTROLS, 2))
    for i in range(count):
        common = habits.common and i == 0
        shape = stock[0 if common else _choose(rng, len(stock))]
        if not common and rng.random() < habits.free_turns:
            mirror = (-1.0, 1.0) if rng.random() < 0.5 else (1.0, -1.0)
            shape = shape * np.array(mirror)
        if not common and rng.random() < 0.4:
            shape = 0.6 * shape
        own = shape[(0, 0, 2, CONTROLS - 1)[_choose(rng, 4)]]
        if i and rng.random() < habits.joined:
            place = strokes[_choose(rng, i), _choose(rng, CONTROLS)]
        else:
            place = 1.2 * (rng.random(2) - 0.5)
        strokes[i] = shape - own + place
    strokes = strokes * np.array([habits.width, 1.0])
    strokes[..., 0] += habits.slant * strokes[..., 1]
    drawn = strokes[:count].reshape(-1, 2)
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    scale = 2.0 / max((high - low).max(), 1e-6)
    # A lone short stroke stays smaller than a whole character.
    strokes = (strokes - (low + high) / 2) * min(scale, 2.0)
    return strokes, np.arange(STROKES) < count


def _most_distinct(pictures: np.ndarray, keep: int) -> list[int]:
    """Picks pictures far from each other: each the farthest from those before.

    Drops sketches that look alike. Distances are integers: ties and order are
    the same everywhere.
    """
    # Averages over neighbourhoods: a hand's error does not tell letters apart.
    ink = pictures.astype(np.int64)
    for axis in (1, 2):
        ink = ink + np.roll(ink, 1, axis) + np.roll(ink, -1, axis)
    flat = ink.reshape(len(ink), SIDE * SIDE)
    chosen = [0]
    nearest = ((flat - flat[0]) ** 2).sum(axis=1)
    while len(chosen) < keep:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, ((flat - flat[chosen[-1]]) ** 2).sum(axis=1))
    return sorted(chosen)
