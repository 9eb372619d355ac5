"""Columns of a user's own CSV file of examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Options that name them, in their order.
COLUMNS = ("text_column", "path_column", "label_column", "group_column")


def check_no_columns(dataset: str, chosen: Mapping[str, Any]) -> None:
    """Refuses names of columns for a data set of the list, which has none.

    Args:
        dataset: Its name.
        chosen: Values by name of the option.

    Raises:
        ValueError: When one is chosen.
    """
    for name in COLUMNS:
        if chosen.get(name) is not None:
            raise ValueError(
                f"`{name}` must be left out for a data set of the list; it is for CSV "
                f"files of your own. Received: {name}={chosen[name]!r} for {dataset}"
            )
