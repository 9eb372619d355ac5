"""Configurations of before: how what they hold is called now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# In format version 1 all parameters stood side by side. These names are fixed: they
# are those of files that exist.
_OF_ALL = {name: name for name in ("unlabelled", "distractors", "same_group")}
_HELD_OUT = {**{name: name for name in ("ways", "shots", "queries")}, **_OF_ALL}
_PARTS = {
    "training": {
        **{"train_ways": "ways", "train_shots": "shots", "train_queries": "queries"},
        **_OF_ALL,
    },
    "validation": _HELD_OUT,
    "test": _HELD_OUT,
}


def from_flat(values: Any) -> Any:
    """The configuration of format version 1 in the form of version 2.

    Args:
        values: What stood under `config`; what is no mapping is left as it is.

    Returns:
        The same values by today's names. Names that version 1 did not have either
        stay, to be refused by who reads them.
    """
    if not isinstance(values, Mapping):
        return values
    moved = {former for names in _PARTS.values() for former in names}
    nested = {name: value for name, value in values.items() if name not in moved}
    for part, names in _PARTS.items():
        inside = {
            now: values[former] for former, now in names.items() if former in values
        }
        if inside:
            nested[part] = inside
    return nested
