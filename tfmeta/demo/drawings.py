"""What somebody drew, as a picture of the kind that a model of characters knows."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tfmeta.datasets.own.picture_files import PictureForm
from tfmeta.datasets.reading.ground import invert_pictures

# Of the shorter side of a picture: how long a character is. Half of the test glyphs are
# 19 to 23 of 28 pixels long, and are in the middle to within two.
_LENGTH = 0.75
# Of the side of a canvas: a mark below is no larger on the picture for being alone.
_LEAST = 0.3
# Levels of ink from which on a pixel is part of the character, of 255.
_INK = 64


def ink_of(drawing: np.ndarray | None) -> np.ndarray:
    """How much ink there is at each pixel of a canvas.

    Args:
        drawing: Uint8 `(height, width, 4)`, ink of any colour on transparent ground;
            `None` for a canvas that nobody touched.

    Returns:
        Uint8 `(height, width)`, 255 for full ink.

    Raises:
        ValueError: When there is no ink, or it is no such array.

    Example:

    ```python
    canvas = np.zeros((280, 280, 4), np.uint8)
    canvas[40:240, 130:150, 3] = 255
    ink_of(canvas).max()  # 255
    ```
    """
    if drawing is None:
        raise ValueError("must have a drawing. Received: none")
    if drawing.ndim != 3 or drawing.shape[2] != 4 or drawing.dtype != np.uint8:
        raise ValueError(
            "must be a drawing of red, green, blue and opacity in uint8. Received: "
            f"{drawing.dtype} of shape {drawing.shape}"
        )
    ink = drawing[..., 3]
    if not (ink >= _INK).any():
        raise ValueError("must have a drawing. Received: an empty one")
    return ink


def as_character(
    ink: np.ndarray, form: PictureForm, *, light_ground: bool | None
) -> np.ndarray:
    """A drawing as a model takes characters: in the middle, of the usual length.

    Where on the canvas somebody drew, and how large, says nothing of the character.
    Height and width keep their ratio, and the line its width, which is that of the pen.

    Args:
        ink: As of `ink_of`.
        form: What the model takes.
        light_ground: Whether it knows dark ink on light ground; `None` where that is
            not known, and paper is taken for light.

    Returns:
        `(height, width, channels)` in the form's dtype.

    Example:

    ```python
    form = PictureForm((28, 28), 1, "uint8")
    as_character(ink, form, light_ground=False).shape  # (28, 28, 1)
    ```
    """
    rows = np.flatnonzero((ink >= _INK).any(axis=1))
    columns = np.flatnonzero((ink >= _INK).any(axis=0))
    drawn = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longest = max(*drawn.shape, _LEAST * max(ink.shape))
    scale = _LENGTH * min(form.size) / longest
    height, width = (max(1, round(scale * side)) for side in drawn.shape)
    small = Image.fromarray(drawn).resize((width, height), Image.Resampling.BILINEAR)
    picture = np.zeros(form.size, np.uint8)
    top, left = (form.size[0] - height) // 2, (form.size[1] - width) // 2
    picture[top : top + height, left : left + width] = np.asarray(small)
    if light_ground is not False:
        invert_pictures(picture, out=picture)
    levels = picture[:, :, None].repeat(form.channels, axis=2)
    return levels if form.dtype == "uint8" else levels * np.uint16(257)
