"""The record of `glyphs`."""

from __future__ import annotations

from tfmeta.datasets.dataset import Dataset

# A run's own defaults are those of glyphs, sized to end within five minutes on
# two cores.
GLYPHS = Dataset(
    name="glyphs",
    description="generated characters in alphabets; no download",
    loader="tfmeta.datasets.glyphs.load:load_glyphs",
    licence="Apache 2.0, as the program that draws them",
)
