"""Small pictures of a few colours, by class."""

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"amber": (240, 180, 30), "moss": (60, 120, 40), "sky": (110, 170, 240)}


def paint(folder: Path, colour: tuple[int, int, int], count: int, seed: int) -> None:
    """Writes pictures of 8 x 8 pixels about a colour, `0.png` and so on."""
    rng = np.random.default_rng([seed, *colour])
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.clip(rng.normal(colour, 25, (8, 8, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
