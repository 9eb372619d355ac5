"""Options that say what the columns of a CSV file are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfmeta.cli.config_options import Decorator, option_of
from tfmeta.runs.columns import COLUMNS
from tfmeta.runs.config import options


def column_options(names: Iterable[str] = COLUMNS) -> Decorator:
    """`--text-column` and the like, as `tfmeta train` has them.

    Args:
        names: Those that the command makes use of, by their names in Python.
    """
    wanted = set(names)
    known = [place for place in options() if place.name in wanted]

    def decorate(function: Any) -> Any:
        for place in reversed(known):
            help = f"{place.parameter.help} [default: {place.parameter.without}]"
            function = option_of(place, help)(function)
        return function

    return decorate
