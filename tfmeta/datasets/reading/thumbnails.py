"""Small copies of pictures, in their own proportions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfmeta.datasets.reading.photographs import read_photograph
from tfmeta.datasets.reading.pictures import picture_kind


def read_thumbnail(file: Path, *, pixels: int) -> np.ndarray:
    """Reads a picture no larger than it is to be seen.

    Args:
        file: The picture.
        pixels: Its longer side at most; one that is smaller stays as it is.

    Returns:
        Uint8 `(height, width, 3)`.

    Raises:
        FileNotFoundError, ValueError: As
            `tfmeta.datasets.reading.photographs.read_photograph`.

    Example:

    ```python
    read_thumbnail(Path("holiday.jpg"), pixels=96).shape  # (72, 96, 3)
    ```
    """
    kind = picture_kind(file)
    ratio = min(1, pixels / max(kind.height, kind.width))
    size = (max(1, round(kind.height * ratio)), max(1, round(kind.width * ratio)))
    return read_photograph(file, size=size)
