"""Whether a copy of a data set is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfmeta.datasets.imagenet.catalogue import SPLITS, Catalogue
from tfmeta.datasets.imagenet.picture_source import PictureSource

_NAMED = 10


def check_complete(source: PictureSource) -> None:
    """Checks that a source holds what its catalogue says, and nothing else.

    Args:
        source: The source. Where its catalogue has no numbers of pictures, any
            class of it with any number of pictures will do.

    Raises:
        ValueError: When classes are strange, missing, short of pictures or have
            too many, or when there are no pictures at all. Up to ten of each
            are named.
    """
    catalogue, sizes = source.catalogue, source.sizes
    wanted = catalogue.split_of
    faults = [
        ("strange", [name for name in sizes if name not in wanted]),
    ]
    if catalogue.pictures is not None:
        faults += [
            ("missing", [name for name in wanted if not sizes.get(name)]),
            ("short", _off_by(source, short=True)),
            ("too large", _off_by(source, short=False)),
        ]
    found = {s: sum(sizes.get(n, 0) for n in catalogue.classes[s]) for s in SPLITS}
    right = catalogue.pictures is None or found == dict(catalogue.pictures)
    if right and any(found.values()) and not any(names for _, names in faults):
        return
    raise ValueError(
        f"{source.path} must hold {_expected(catalogue)}. Received: "
        f"{_numbers(found)} pictures of them"
        + "".join(
            f"; {_count(len(names))} {what}: {_some(names)}"
            for what, names in faults
            if names
        )
        + _hint(source)
    )


def _off_by(source: PictureSource, *, short: bool) -> list[str]:
    """The classes that are short of pictures (or have too many), and by how many."""
    least, most = source.catalogue.class_sizes
    exactly = "" if least == most else " or more"
    off = []
    for name in source.catalogue.split_of:
        size = source.sizes.get(name, 0)
        by = least - size if short else size - most
        if size and by > 0:
            off.append(f"{name} by {by:,}{exactly}")
    return off


def _hint(source: PictureSource) -> str:
    """What else to know where classes differ in size, as in tieredImageNet."""
    least, most = source.catalogue.class_sizes
    if source.catalogue.pictures is None or least == most:
        return ""
    sizes = [source.sizes.get(name, 0) for name in source.catalogue.split_of]
    below = sum(least <= size < most for size in sizes)
    return (
        f"; {_count(below)} of {least:,} or more but below {most:,} (some are so). "
        "With `partial=True` (`--partial`) it becomes a data set of its own"
    )


def _expected(catalogue: Catalogue) -> str:
    classes = sum(map(len, catalogue.classes.values()))
    if catalogue.pictures is None:
        return f"pictures of some of the {classes} classes of tieredImageNet"
    least, most = catalogue.class_sizes
    per_class = f"{least:,}" if least == most else f"from {least:,} to {most:,}"
    return (
        f"{catalogue.title}: {classes} classes of {per_class} pictures, "
        f"{_numbers(catalogue.pictures)}"
    )


def _numbers(pictures: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {split}" for split, number in pictures.items())


def _count(number: int) -> str:
    return f"{number:,} class" + ("" if number == 1 else "es")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
