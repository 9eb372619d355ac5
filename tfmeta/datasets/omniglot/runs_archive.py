"""all_runs.zip, the pictures of Lake's one-shot test: read and checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfmeta.datasets.omniglot.archives import SCAN, open_scan
from tfmeta.datasets.reading.archives import read_archive

RUNS_ARCHIVE = "all_runs.zip"
RUNS = 20
WAYS = 20
PICTURES = RUNS * 2 * WAYS

# Of the scans and the labels, not of the archive: it may be zipped anew.
_CONTENT_SHA256 = "3c29e1737bcbb320e6ba340f6640a36658c1f22fdad0235a39d378af98914402"
_MAX_BYTES = 16 * 2**20
_LINE = re.compile(
    r"(?P<run>run\d\d)/test/item(\d\d)\.png (?P=run)/training/class(\d\d)\.png"
)


def read_runs_archive(
    path: Path, *, on_picture: Callable[[], None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the pictures of Lake's one-shot test, and the answers.

    Args:
        path: The archive.
        on_picture: Called whenever a picture was read.

    Returns:
        The scans, uint8 of shape `(20, 40, 105, 105)`, ink 0 on 255, of each run
        the 20 training pictures before the 20 test pictures; and the labels,
        uint8 of shape `(20, 20)`: for each test picture, which training picture,
        from 0 on, shows the same character.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the archive is unsafe, damaged, not complete, or holds
            other pictures or answers than the authors'.
    """
    places = _places()
    scans = np.zeros((RUNS, 2 * WAYS, *SCAN), np.uint8)
    labels = np.zeros((RUNS, WAYS), np.uint8)
    for name, content in read_archive(path, max_bytes=_MAX_BYTES):
        place = places.pop(name, None)
        if place is None:
            raise ValueError(
                f"archive {path}: members must be named 'run<NN>/training/class<NN>"
                ".png', 'run<NN>/test/item<NN>.png' or 'run<NN>/class_labels.txt', "
                f"each number from 01 to 20. Received: {name!r}"
            )
        run, position = place
        if position is None:
            labels[run] = _read_labels(path, name, content)
            continue
        scans[run, position] = np.asarray(open_scan(path, name, content).convert("L"))
        if on_picture is not None:
            on_picture()
    if places:
        raise ValueError(
            f"archive {path} must hold {PICTURES} pictures and {RUNS} lists of their "
            f"answers. Received: one without {len(places)} of them, among them "
            f"{min(places)!r}"
        )
    if not is_authentic(scans, labels):
        raise ValueError(
            f"archive {path} must hold the pictures and answers that its authors "
            "published, pixel by pixel: errors on others compare with none. Received: "
            "an archive with all files of the right names, some with other content"
        )
    return scans, labels


def is_authentic(scans: np.ndarray, labels: np.ndarray) -> bool:
    """Whether scans and labels of `read_runs_archive` are those of the authors."""
    digest = hashlib.sha256(scans.tobytes() + labels.tobytes())
    return digest.hexdigest() == _CONTENT_SHA256


def _places() -> dict[str, tuple[int, int | None]]:
    """Run, and position of the picture in it, of every member's name."""
    places: dict[str, tuple[int, int | None]] = {}
    for run in range(RUNS):
        folder = f"run{run + 1:02d}"
        places[f"{folder}/class_labels.txt"] = run, None
        for way in range(WAYS):
            places[f"{folder}/training/class{way + 1:02d}.png"] = run, way
            places[f"{folder}/test/item{way + 1:02d}.png"] = run, WAYS + way
    return places


def _read_labels(path: Path, name: str, content: bytes) -> list[int]:
    lines = content.decode("ascii", "replace").splitlines()
    answers: dict[int, int] = {}
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        if match is None or match["run"] != name.split("/")[0]:
            raise ValueError(
                f"archive {path}: lines of {name!r} must be 'run<NN>/test/item<NN>.png "
                "run<NN>/training/class<NN>.png' of its own run. Received: "
                f"{line[:80]!r}"
            )
        answers[int(match[2])] = int(match[3])
    every = set(range(1, WAYS + 1))
    if len(lines) != WAYS or set(answers) != every or set(answers.values()) != every:
        raise ValueError(
            f"archive {path}: {name!r} must pair {WAYS} test pictures with {WAYS} "
            f"training pictures, each once. Received: {len(lines)} lines with "
            f"{len(answers)} test and {len(set(answers.values()))} training pictures"
        )
    return [answers[item] - 1 for item in sorted(answers)]
