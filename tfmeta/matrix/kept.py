"""The result file of a matrix: what stands in it, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypedDict

from tfmeta.json_types import check_type
from tfmeta.runs.run_folder import read_versioned

MATRIX_FORMAT_VERSION = 1


class KeptRow(TypedDict):
    """An encoder; `pictures_known` as of `Row`."""

    name: str
    kind: Literal["encoder", "run"]
    learner: str
    pretrained_on: str | None
    transductive: bool
    pictures_known: bool


class KeptDomain(TypedDict):
    """A domain; `classes` of `classes_of_all` were drawn, `chosen` says from which."""

    name: str
    chosen: str
    classes: int
    classes_of_all: int
    examples: int
    most_of_a_class: int


class KeptInterval(TypedDict):
    """A `ClassInterval`."""

    ends: list[float] | None
    clusters: int
    reason: str | None


class KeptCell(TypedDict):
    """A figure, or the `reason` why there is none; shares of one, as all of it."""

    encoder: str
    domain: str
    shots: int
    queries: int | None
    accuracy: float | None
    over_episode_draws: float | None
    over_test_classes: KeptInterval | None
    seen_in_pretraining: bool
    trained_on_other_classes: bool
    inverted: bool
    reason: str | None


class KeptMatrix(TypedDict):
    """The whole file."""

    format_version: int
    tfmeta: str
    commit: str | None
    command: str
    seconds: float
    ways: int
    shots: list[int]
    episodes: int
    seed: int
    size: int | None
    most_classes: int
    images_per_class: int
    not_here: list[str]
    encoders: list[KeptRow]
    domains: list[KeptDomain]
    cells: list[KeptCell]


def read_matrix(path: Path) -> KeptMatrix:
    """Reads a result file, from which its tables can be written again.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is something else, is damaged, or is from a newer version.
    """
    content = read_versioned(path, MATRIX_FORMAT_VERSION, ("encoders", "cells"))
    kept: KeptMatrix = check_type(content, KeptMatrix, path)
    names = [row["name"] for row in kept["encoders"]]
    columns = [domain["name"] for domain in kept["domains"]]
    wanted = {(n, d, s) for n in names for d in columns for s in kept["shots"]}
    found = [(c["encoder"], c["domain"], c["shots"]) for c in kept["cells"]]
    if wanted != set(found) or len(found) != len(wanted):
        raise ValueError(
            f"{path} must hold one cell for each encoder, domain and number of shots, "
            f"{len(wanted)}. Received: {len(found)}, or others"
        )
    intervals = [cell["over_test_classes"] for cell in kept["cells"]]
    if any(i and i["ends"] is not None and len(i["ends"]) != 2 for i in intervals):
        raise ValueError(
            f"{path} must hold two ends of each interval. Received: other numbers"
        )
    return kept
