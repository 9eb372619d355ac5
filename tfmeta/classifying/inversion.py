"""Whether the pictures of a task are inverted: all of them, or none."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tfmeta.datasets.reading.ground import Ground, common_ground

_WORDS: Mapping[Ground, str] = {
    "light": "dark on light",
    "dark": "light on dark",
    "unclear": "not clear",
    "colour": "in colour",
}


@dataclasses.dataclass(frozen=True)
class Inversion:
    """What is done to a task.

    Attributes:
        inverted: Whether support and queries are inverted.
        note: What was done to which side, because it was asked for.
        warning: What was done to which side and why, where it was not.
    """

    inverted: bool
    note: str | None = None
    warning: str | None = None


BY_REQUEST = Inversion(
    True, note="--support: inverted; --query: inverted, as --invert yes says"
)
NOTHING = Inversion(False)


def decide_inversion(
    light_ground: bool,
    support: Mapping[Path, Ground],
    query: Mapping[Path, Ground],
    *,
    support_name: str = "--support",
) -> Inversion:
    """One decision for support and queries together.

    Args:
        light_ground: Whether the run was trained on dark ink on light ground.
        support: The ground of each picture of the support.
        query: That of each query.
        support_name: How the support was given, for the messages.

    Returns:
        To invert when the common ground of all these pictures is clear and the
        other one than the run's. Where it is not clear nothing is inverted, and
        a warning says so.

    Example:

    ```python
    one, other = {Path("a/1.png"): "light"}, {Path("2.png"): "light"}
    decide_inversion(False, one, other).inverted  # True
    ```
    """
    grounds = [*support.items(), *query.items()]
    found = common_ground(ground for _, ground in grounds)
    own: Ground = "light" if light_ground else "dark"
    if found == own:
        return NOTHING
    inverted = found in ("light", "dark")
    done = "inverted" if inverted else "not inverted"
    sides = "; ".join(
        f"{side}: {done} ({_counted(side_grounds.values())})"
        for side, side_grounds in ((support_name, support), ("--query", query))
        if side_grounds
    )
    said = f"the run was trained on {_WORDS[own]} and "
    if inverted:
        said += (
            f"these pictures are the other way round. {sides}. Use --invert no to "
            "leave them"
        )
    elif found == "colour":
        said += (
            f"some of these pictures have colours{_named(grounds, 'colour')}, which "
            f"are inverted on request alone. {sides}. Use --invert yes if all are "
            f"{_WORDS['dark' if light_ground else 'light']}, --invert no if none is"
        )
    elif found == "mixed":
        count = Counter(ground for _, ground in grounds)
        fewer: Ground = "light" if count["light"] <= count["dark"] else "dark"
        said += (
            f"these pictures differ in their ground, {_WORDS[fewer]} among them"
            f"{_named(grounds, fewer)}. {sides}. Bring all to one ground and try "
            "again; --invert yes inverts all of them, --invert no none"
        )
    else:
        said += (
            f"the ground of these pictures is not clear. {sides}. Use --invert yes if "
            f"they are {_WORDS['dark' if light_ground else 'light']}, --invert no if "
            "they are not"
        )
    return Inversion(inverted, warning=said)


def _counted(grounds: Iterable[Ground]) -> str:
    count = Counter(grounds)
    return ", ".join(f"{count[g]} {word}" for g, word in _WORDS.items() if count[g])


def _named(grounds: Sequence[tuple[Path, Ground]], ground: Ground) -> str:
    """The first pictures of a ground."""
    names = ["/".join(path.parts[-2:]) for path, found in grounds if found == ground]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" ({', '.join(names[:3])}{more})"
