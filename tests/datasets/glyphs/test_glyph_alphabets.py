"""Invented alphabets."""

import numpy as np
import pytest

from tfmeta.datasets.glyphs.alphabets import invent_alphabet
from tfmeta.datasets.glyphs.drawing import CONTROLS, STROKES, print_characters


@pytest.mark.parametrize("seed", range(5))
def test_characters_fill_the_box(seed):
    alphabet = invent_alphabet(12, np.random.default_rng(seed))
    assert alphabet.controls.shape == (12, STROKES, CONTROLS, 2)
    assert alphabet.present.shape == (12, STROKES)
    assert 0 <= alphabet.curviness <= 1
    assert alphabet.present[:, 0].all()
    for controls, present in zip(alphabet.controls, alphabet.present, strict=True):
        drawn = controls[present].reshape(-1, 2)
        low, high = drawn.min(axis=0), drawn.max(axis=0)
        np.testing.assert_allclose(low, -high, atol=1e-12)
        assert 0.3 < high.max() <= 1 + 1e-12


def test_reproducible_and_different_by_stream():
    first, again, other = (
        invent_alphabet(5, np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first.controls, again.controls)
    np.testing.assert_array_equal(first.present, again.present)
    assert first.curviness == again.curviness
    assert not np.array_equal(first.controls, other.controls)


def test_characters_differ():
    alphabet = invent_alphabet(20, np.random.default_rng(0))
    printed = print_characters(alphabet.controls, alphabet.present, alphabet.curviness)
    assert len({picture.tobytes() for picture in printed}) == 20
    flat = printed.reshape(20, -1) / 255
    distances = ((flat[:, None] - flat[None]) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    # A dozen pixels of ink: more than the tip of a stroke.
    assert distances.min() > 12


def test_alphabets_use_different_numbers_of_strokes():
    counts = [
        invent_alphabet(20, np.random.default_rng(seed)).present.sum(axis=1)
        for seed in range(5)
    ]
    assert set(np.concatenate(counts)) == set(range(1, STROKES + 1))
