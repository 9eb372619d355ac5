"""The `glyphs` data set: generated characters of invented alphabets."""

from __future__ import annotations

import operator

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.glyphs.alphabets import invent_alphabet
from tfmeta.datasets.glyphs.drawing import SIDE, draw

ALPHABETS = {"train": 30, "validation": 8, "test": 12}
"""How many alphabets each split has."""

CHARACTERS_PER_ALPHABET = 20
"""How many characters, that is classes, an alphabet has."""

DRAWINGS_PER_CHARACTER = 20
"""How often each character is drawn: the examples of a class."""


def load_glyphs(split: str, *, seed: int = 0) -> ClassTable:
    """Generates a split of `glyphs`, the data set that needs no download.

    Like Omniglot (Lake, Salakhutdinov and Tenenbaum, 2015, *Human-level concept
    learning through probabilistic program induction*) it has many classes of
    few drawings: characters of alphabets, drawn by strokes, each time a little
    differently. The characters of one alphabet share their stroke shapes, which
    makes them harder to tell apart; a simple shape such as a ring can turn up
    in more than one alphabet, as in real scripts.

    The splits share neither characters nor alphabets: 30 alphabets to train on,
    8 to validate and 12 to test, of 20 characters each, each drawn 20 times.
    The same seed gives the same pictures, bit for bit, in every process.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        seed: A number from 0. Another seed gives other alphabets: another data
            set, with a name of its own.

    Returns:
        A table of uint8 pictures of shape `(28, 28, 1)`, ink 255 on paper 0.
        Its groups are the alphabets.

    Raises:
        ValueError: When `split` is none of the three or `seed` is negative.
        TypeError: When `seed` is no integer.

    Example:

    ```python
    table = load_glyphs("train")
    table.num_classes, table.num_examples  # 600, 12000
    table.class_names[0]  # "alphabet00/character00"
    ```
    """
    if split not in tuple(ALPHABETS):
        raise ValueError(
            f"`split` must be one of {', '.join(map(repr, ALPHABETS))}. "
            f"Received: {split!r}"
        )
    seed = _checked_seed(seed)
    # Alphabets are numbered through the splits, and each draws from a stream
    # of its own: no two splits can share one.
    splits = list(ALPHABETS)
    first = sum(ALPHABETS[s] for s in splits[: splits.index(split)])
    examples, class_names, groups = [], [], []
    for number in range(first, first + ALPHABETS[split]):
        design, hand = (
            np.random.Generator(np.random.PCG64(stream))
            for stream in np.random.SeedSequence(seed, spawn_key=(number,)).spawn(2)
        )
        alphabet = invent_alphabet(CHARACTERS_PER_ALPHABET, design)
        examples.append(
            draw(
                alphabet.controls,
                alphabet.present,
                alphabet.curviness,
                DRAWINGS_PER_CHARACTER,
                hand,
            )
        )
        group = f"alphabet{number:02d}"
        for character in range(CHARACTERS_PER_ALPHABET):
            class_names.append(f"{group}/character{character:02d}")
            groups.append(group)
    return ClassTable(
        name=f"glyphs-seed{seed}",
        examples=np.concatenate(examples)[..., None],
        offsets=np.arange(len(class_names) + 1) * DRAWINGS_PER_CHARACTER,
        class_names=tuple(class_names),
        groups=tuple(groups),
        group_level="alphabet",
        description=(
            f"Generated characters, {SIDE} x {SIDE}, of invented alphabets, drawn "
            f"by strokes; made by load_glyphs({split!r}, seed={seed})."
        ),
    )


def _checked_seed(seed: int) -> int:
    message = f"`seed` must be an integer from 0. Received: {seed!r}"
    if isinstance(seed, bool):
        raise TypeError(message)
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(message) from None
    if number < 0:
        raise ValueError(message)
    return number
