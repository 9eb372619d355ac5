"""The 1,623 characters of Omniglot, and which of them make up each split."""

from __future__ import annotations

import functools
import json
from importlib import resources

# Accepted splits by protocol.
PROTOCOLS = {
    "vinyals": ("train", "validation", "test", "trainval"),
    "lake": ("train", "validation", "test", "background"),
}

# The twenty alphabets of the authors' evaluation set; the other thirty are their
# background set.
LAKE_TEST = (
    *("Angelic", "Atemayar_Qelisayer", "Atlantean", "Aurek-Besh", "Avesta"),
    *("Ge_ez", "Glagolitic", "Gurmukhi", "Kannada", "Keble"),
    *("Malayalam", "Manipuri", "Mongolian", "Old_Church_Slavonic_(Cyrillic)"),
    *("Oriya", "Sylheti", "Syriac_(Serto)", "Tengwar", "Tibetan", "ULOG"),
)

# Five of the thirty background alphabets, 136 characters: the first five of
# `np.random.default_rng(0).permutation(sorted(alphabets))`. Written out, because
# NumPy does not promise that stream for ever.
LAKE_VALIDATION = ("Arcadian", "Cyrillic", "Early_Aramaic", "Latin", "Sanskrit")


@functools.cache
def vinyals_characters() -> dict[str, tuple[str, ...]]:
    """The characters of the train, validation and test lists, sorted.

    Returns:
        Names such as `"Greek/character01"` by split.
    """
    text = resources.files("tfmeta.datasets.omniglot").joinpath("vinyals.json")
    lists = json.loads(text.read_text(encoding="utf-8"))
    return {
        split: tuple(
            f"{alphabet}/character{number:02d}"
            for alphabet, (first, last) in sorted(lists[split].items())
            for number in range(first, last + 1)
        )
        for split in ("train", "validation", "test")
    }


def all_characters() -> tuple[str, ...]:
    """All of them, sorted as tables hold them."""
    return tuple(sorted(n for names in vinyals_characters().values() for n in names))


def characters_of(protocol: str, split: str) -> tuple[str, ...]:
    """The characters of one of the splits of `PROTOCOLS`, sorted."""
    if protocol == "vinyals":
        lists = vinyals_characters()
        if split == "trainval":
            return tuple(sorted(lists["train"] + lists["validation"]))
        return lists[split]
    wanted = {split, "train", "validation"} if split == "background" else {split}
    return tuple(n for n in all_characters() if _lake_split(n) in wanted)


def alphabet_of(character: str) -> str:
    """The alphabet of a character by its name."""
    return character.split("/")[0]


def _lake_split(character: str) -> str:
    alphabet = alphabet_of(character)
    if alphabet in LAKE_TEST:
        return "test"
    return "validation" if alphabet in LAKE_VALIDATION else "train"
