"""One door to all data sets that the package knows by name."""

from __future__ import annotations

import os

from tfmeta.datasets.class_table import ClassTable

DESCRIPTIONS = {
    "glyphs": "generated characters in alphabets; no download",
    "omniglot": "1,623 handwritten characters of 50 alphabets, 20 drawings each",
}
NAMES = tuple(DESCRIPTIONS)
GLYPH_SPLITS = ("train", "validation", "test")


def load(
    name: str,
    *,
    split: str = "train",
    data_dir: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    rotations: bool | None = None,
    seed: int = 0,
) -> ClassTable:
    """Loads one split of a data set by its name.

    Args:
        name: `"glyphs"` (made by a program, needs no file and no connection) or
            `"omniglot"` (see `tfmeta.datasets.omniglot.load.load_omniglot`).
        split: `"train"`, `"validation"` or `"test"`; omniglot knows further
            ones.
        data_dir: Where data is kept; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`. Glyphs do not
            use it.
        protocol: For omniglot `"vinyals"` (default) or `"lake"`. Glyphs have
            none.
        rotations: For omniglot, whether turned characters are classes of their
            own; by default as the protocol has it. Glyphs have none.
        seed: What the glyphs are drawn from. Omniglot does not use it: its
            splits are fixed.

    Returns:
        The table.

    Raises:
        ValueError: For an unknown name, split or protocol, or for one that the
            data set does not have.
        FileNotFoundError: When the data is not here and cannot be downloaded.

    Example:

    ```python
    train = tfmeta.datasets.load("glyphs", split="train")
    test = tfmeta.datasets.load("omniglot", split="test", data_dir="~/data")
    ```
    """
    if name == "omniglot":
        from tfmeta.datasets.omniglot.load import load_omniglot

        return load_omniglot(
            split,
            data_dir=data_dir,
            protocol="vinyals" if protocol is None else protocol,
            rotations=rotations,
        )
    if name == "glyphs":
        for argument, value in (("protocol", protocol), ("rotations", rotations)):
            if value is not None:
                raise ValueError(
                    f"`{argument}` of glyphs must be None: they have none. "
                    f"Received: {value!r}"
                )
        if split not in GLYPH_SPLITS:
            raise ValueError(
                f"`split` of glyphs must be one of {list(GLYPH_SPLITS)}. "
                f"Received: {split!r}"
            )
        from tfmeta.datasets.glyphs.load import load_glyphs

        return load_glyphs(split, seed=seed)
    raise ValueError(f"`name` must be one of {list(NAMES)}. Received: {name!r}")
