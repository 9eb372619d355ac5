"""The two ways to split data sets of intents: by intent, or within each."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.storage.selected import select_rows

NEW_INTENTS, ALL_INTENTS = "new_intents", "all_intents"
PROTOCOLS = (NEW_INTENTS, ALL_INTENTS)


def check_protocol(data_set: str, protocol: str) -> None:
    """Raises `ValueError` for a protocol that there is not."""
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"`protocol` of {data_set} must be one of {list(PROTOCOLS)}. Received: "
            f"{protocol!r}"
        )


def take_part(
    table: ClassTable, starts: npt.ArrayLike, stops: npt.ArrayLike
) -> ClassTable:
    """A stretch of the examples of each class.

    Args:
        table: The table.
        starts: For each class, the first of its examples to take, from 0.
        stops: For each class, the one behind the last.

    Example:

    ```python
    take_part(table, [0] * table.num_classes, table.class_sizes // 2)
    ```
    """
    firsts = table.offsets[:-1] + np.asarray(starts)
    behind = table.offsets[:-1] + np.asarray(stops)
    rows = np.concatenate(
        [np.arange(a, b) for a, b in zip(firsts, behind, strict=True)]
    )
    return dataclasses.replace(
        table,
        examples=select_rows(table.examples, rows),
        offsets=np.concatenate([[0], np.cumsum(behind - firsts)]),
    )
