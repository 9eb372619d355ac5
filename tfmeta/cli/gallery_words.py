"""What the commands of a gallery say of it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from tfmeta.cli.gallery_facts import GalleryFacts
from tfmeta.printable import one_line

CLASSES_FIRST = "`tfmeta gallery enrol {gallery} --support DIR` enrols some"

_MOST_NAMED = 10
_MOST_LOOKED_AT = 200


def count(number: int, what: str) -> str:
    """A number of things."""
    many = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number:,} {what if number == 1 else many}"


def some(names: Iterable[str]) -> str:
    """The first of some names, and how many more there are."""
    quoted = [repr(one_line(name)) for name in names]
    more = len(quoted) - _MOST_NAMED
    return ", ".join(quoted[:_MOST_NAMED]) + (f" and {more:,} more" * (more > 0))


def check_names(names: Iterable[str], there: Collection[str], gallery: Path) -> None:
    """Checks that a gallery has classes.

    Raises:
        ValueError: When it has not; names those that are not there, with that of the
            classes which is most alike.
    """
    missing = [name for name in names if name not in there]
    if not missing:
        return
    said = some(missing)
    if len(missing) == 1:
        alike = difflib.get_close_matches(missing[0], there, 1)
        said += f"; did you mean {one_line(alike[0])!r}?" if alike else ""
    raise ValueError(
        f"NAME must be a class of {gallery}, which has {some(there) or 'none'}. "
        f"Received: {said}"
    )


def threshold_words(facts: GalleryFacts, sizes: Mapping[str, int]) -> str:
    """Whether "none of these" is answered, and from which score on it is not."""
    threshold = facts.threshold
    if threshold is None:
        return "none; every query is answered with a class"
    if threshold["by"] == "cross-validation":
        said = (
            "by cross-validation of what is enrolled; accepts "
            f"{100 * threshold['recall']:g} % of the queries of enrolled classes"
        )
        if not facts.has_threshold(sizes):
            said += " (none yet: it takes two classes, one of them with two examples)"
        return said
    fitted = threshold["threshold"]
    ways, shots = (fitted["protocol"].get(name, "?") for name in ("ways", "shots"))
    return (
        f"{fitted['score']} of at least {fitted['value']:.4g}, by {ways}-way "
        f"{shots}-shot validation episodes; accepts {100 * fitted['recall']:g} % of "
        "their queries of known classes"
    )


def other_ground(
    facts: GalleryFacts, files: Sequence[Path], gallery: Path
) -> list[str]:
    """A warning where grey pictures are clearly the other way round than enrolled."""
    from tfmeta.classifying.ground_of_files import ground_of_files
    from tfmeta.datasets.reading.ground import common_ground

    if facts.light_ground is None:
        return []
    step = max(1, len(files) // _MOST_LOOKED_AT)
    grounds = ground_of_files(files[::step], size=facts.picture_size)
    found = common_ground(grounds.values())
    # What is inverted comes the other way round than the learner was trained.
    light = facts.light_ground != facts.invert
    if found != ("dark" if light else "light"):
        return []
    words = ["light on dark", "dark on light"]
    return [
        f"{gallery} takes pictures that are {words[light]}, and these are "
        f"{words[not light]}: invert them"
    ]
