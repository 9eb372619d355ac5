"""What a picture is drawn on: light ground, dark ground, or nothing of the kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import numpy as np

Ground = Literal["light", "dark", "unclear", "colour"]
CommonGround = Literal["light", "dark", "unclear", "colour", "mixed"]

# All in levels of 8 bits, or as shares.
_CHROMA = 40
_COLOURED = 0.01
_MAJORITY = 0.6
_SPREAD = 0.2
_CONTRAST = 16
_BEYOND = 1 / 3
_CLEAR = 0.75


def ground_of(picture: np.ndarray) -> Ground:
    """The ground of one picture, from its pixels.

    Ink on paper has two peaks: one level for most of the pixels, the ground, and
    another, far from it, for the ink. Otsu's threshold, which leaves most of the
    variance between the two sides, tells them apart, and the ground is clear when

    - at least 60 % of the pixels are on its side,
    - their standard deviation is at most a fifth of the distance between the
      means of the two sides (of one peak it is more: 0.22 where levels fall off
      exponentially, 0.29 to 0.37 where they are even or bell-shaped),
    - that distance is at least 16 of 255 levels,
    - and beyond the ground, half that distance away from it, there are at most a
      third as many pixels as of ink: marks both darker and brighter than what they
      are on make it neither a light ground nor a dark one.

    This is asked of the picture, and again after a plane has been taken from it,
    as light from one side lays it over a sheet of paper. A mean says nothing:
    bold letters on white are darker than half of all photographs.

    A picture has colours when in more than 1 % of its pixels the largest and the
    smallest of red, green and blue are more than 40 of 255 levels apart. Ink on
    paper that is merely stored as RGB stays below, on cream-coloured paper too;
    photographs, coloured ink and signs do not.

    Args:
        picture: Uint8 or uint16 array of shape `(height, width)`,
            `(height, width, 1)` or `(height, width, 3)`.

    Returns:
        `"light"` for dark ink on light ground, `"dark"` for the other way round,
        `"colour"` for what has colours, `"unclear"` for all else: photographs in
        grey, empty sheets, two levels of nearly half of the pixels each.

    Raises:
        ValueError: When it is no such array, or empty.

    Example:

    ```python
    sheet = np.full((28, 28), 255, np.uint8)
    sheet[4:24, 12:15] = 0
    ground_of(sheet)  # 'light'
    ground_of(255 - sheet)  # 'dark'
    ```
    """
    levels = _levels(picture)
    if levels.ndim == 3:
        chroma = levels.max(axis=2) - levels.min(axis=2)
        if np.mean(chroma > _CHROMA) > _COLOURED:
            return "colour"
        levels = levels @ np.array([0.299, 0.587, 0.114])  # ITU-R 601, as Pillow's
    found = {_two_peaks(levels), _two_peaks(_evenly_lit(levels))} - {None}
    return "unclear" if len(found) != 1 else "light" if found.pop() else "dark"


def common_ground(
    grounds: Iterable[Ground], *, most_against: float = 0.0
) -> CommonGround:
    """The one ground of all pictures of a task, or of a data set, if they have one.

    All pictures of a task are asked together, whichever are support and query:
    what is decided for them must be the same for both, or they cannot be compared.

    Args:
        grounds: Of each picture, by `ground_of`.
        most_against: The largest share of pictures of the other ground. A task has
            none; of thousands to train on, some may have been filed wrongly.

    Returns:
        `"light"` or `"dark"` when that is the ground of at least three quarters
        of the pictures, and the other ground that of none (of at most
        `most_against` of them). Else `"colour"` when one of them has colours,
        `"mixed"` when both grounds occur, `"unclear"` for all else.

    Example:

    ```python
    common_ground(["light", "light", "unclear", "light"])  # 'light'
    common_ground(["light", "light", "dark"])  # 'mixed'
    ```
    """
    count = Counter(grounds)
    total = count.total()
    if count["colour"]:
        return "colour"
    if min(count["light"], count["dark"]) > most_against * total:
        return "mixed"
    for ground in ("light", "dark"):
        if count[ground] >= max(1, _CLEAR * total):
            return ground
    return "unclear"


def invert_pictures(
    pictures: np.ndarray, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Turns dark on light into light on dark, and the other way round.

    Args:
        pictures: Uint8 or uint16 array of any shape.
        out: An array to write the result into, which may be `pictures` itself.

    Returns:
        An array of the same dtype and shape: the highest level less each.

    Example:

    ```python
    invert_pictures(np.array([0, 255], np.uint8))  # [255, 0]
    ```
    """
    return np.subtract(np.iinfo(pictures.dtype).max, pictures, out=out)


def _levels(picture: np.ndarray) -> np.ndarray:
    """Float array `(height, width)` or `(height, width, 3)`, from 0 to 255."""
    picture = np.asarray(picture)
    known = picture.dtype in (np.uint8, np.uint16)
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    shaped = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3)
    if not known or not shaped or picture.size == 0:
        raise ValueError(
            "`picture` must be a uint8 or uint16 array of shape (height, width), "
            "(height, width, 1) or (height, width, 3) with at least one pixel. "
            f"Received: {picture.dtype} of shape {picture.shape}"
        )
    return picture * (255 / np.iinfo(picture.dtype).max)


def _evenly_lit(levels: np.ndarray) -> np.ndarray:
    """The picture less the slope of the plane that fits it best."""
    flat = levels
    for axis, length in enumerate(levels.shape):
        place = np.arange(length) - (length - 1) / 2
        # Lines through the centre of a grid are orthogonal: each by itself.
        profile = levels.mean(axis=1 - axis)
        slope = place @ profile / max(place @ place, 1.0)
        flat = flat - slope * np.expand_dims(place, 1 - axis)
    return flat


def _two_peaks(levels: np.ndarray) -> bool | None:
    """Whether the ground is the lighter of two peaks; `None` when not clear."""
    ordered = np.sort(levels, axis=None)
    below = np.arange(1, ordered.size)
    sums = np.cumsum(ordered)
    above = ordered.size - below
    low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / above
    between = below * above * (high - low) ** 2
    if not between.size or between.max() <= 0:
        return None
    cut = int(between.argmax())
    contrast = high[cut] - low[cut]
    light = above[cut] > below[cut]
    ground = ordered[cut + 1 :] if light else ordered[: cut + 1]
    away = ground - ground.mean() if light else ground.mean() - ground
    clear = (
        contrast >= _CONTRAST
        and ground.size >= _MAJORITY * ordered.size
        and ground.std() <= _SPREAD * contrast
        and np.sum(away > contrast / 2) <= _BEYOND * (ordered.size - ground.size)
    )
    return bool(light) if clear else None
