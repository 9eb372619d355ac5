"""The list of all protocols, without TensorFlow.

Adding one takes its file and a line here; `tfmeta evaluate` and its `--help`, and
`tfmeta reproduce` where it is of `InTables`, read all else from the protocol itself.
"""

from __future__ import annotations

from typing import Any

from tfmeta.runs.measuring.in_tables import InTables
from tfmeta.runs.measuring.instances import Instances
from tfmeta.runs.measuring.lake import Lake
from tfmeta.runs.measuring.open_set import OpenSet
from tfmeta.runs.measuring.protocol import MeasuringProtocol
from tfmeta.runs.measuring.realistic import Realistic
from tfmeta.runs.measuring.regression import Regression
from tfmeta.runs.measuring.returns import Returns
from tfmeta.runs.measuring.standard import Standard

# In the order of `--help`.
PROTOCOLS: list[type[MeasuringProtocol[Any, Any]]] = [
    Realistic,
    OpenSet,
    Standard,
    Regression,
    Returns,
    Lake,
    Instances,
]


def protocols_in_tables() -> dict[str, type[InTables[Any, Any]]]:
    """Those of which a figure may be a column of a row, by `kind`."""
    return {p.kind: p for p in PROTOCOLS if issubclass(p, InTables)}
