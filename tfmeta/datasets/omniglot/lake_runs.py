"""The pictures of Lake's one-shot test: 20 runs of 20 characters of an alphabet."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from importlib import resources
from pathlib import Path

import numpy as np

from tfmeta.datasets.class_attributes import attributes_to_json
from tfmeta.datasets.data_dir import resolve_data_dir, table_path
from tfmeta.datasets.import_report import OnProgress
from tfmeta.datasets.omniglot.archives import SCAN, URL
from tfmeta.datasets.omniglot.earlier import packed_runs_path, read_packed_runs
from tfmeta.datasets.omniglot.pictures import SIZE, encode_ink, shrink
from tfmeta.datasets.omniglot.runs_archive import (
    RUNS,
    RUNS_ARCHIVE,
    WAYS,
    is_authentic,
)
from tfmeta.datasets.storage.layout import ENCODED_PICTURES, TableLayout
from tfmeta.datasets.storage.table_folder import open_table, write_table

_RUNS_URL = f"{URL}one-shot-classification/{RUNS_ARCHIVE}"


@dataclasses.dataclass(frozen=True, eq=False)
class LakeRuns:
    """All pictures of the test.

    Each run is a task of 20 characters of one alphabet, of each of which one
    person's drawing is the support and another person's the query. Two runs
    after another are of the same 20 characters, by other people.

    Args:
        support: Uint8 `(20, 20, size, size, 1)`: of each run, one picture of
            each of its 20 characters. Ink is 255 on 0.
        query: Uint8 `(20, 20, size, size, 1)`: of each run, the 20 pictures to
            classify, one of each character, in the authors' order.
        labels: Int32 `(20, 20)`: which of the run's support pictures shows the
            character of a query.
        alphabets: The alphabet of each run.
        class_names: The characters of each run in the order of `support`, as
            `load("omniglot")` names them: `"Alphabet/characterNN"`.
    """

    support: np.ndarray
    query: np.ndarray
    labels: np.ndarray
    alphabets: tuple[str, ...]
    class_names: tuple[tuple[str, ...], ...]

    @property
    def size(self) -> int:
        """The side of the pictures in pixels."""
        return int(self.support.shape[2])

    @property
    def origins(self) -> frozenset[str]:
        """All characters, as `ClassTable.origins` names them."""
        return frozenset(f"omniglot/{n}" for names in self.class_names for n in names)


def load_lake_runs(
    *, data_dir: str | os.PathLike[str] | None = None, size: int = SIZE
) -> LakeRuns:
    """Loads the pictures of Lake's 20-way one-shot test within an alphabet.

    They come to the data folder by `tfmeta datasets import omniglot`, from a
    folder that holds `all_runs.zip`. All are pictures of Omniglot's evaluation
    set, the split `"test"` of the protocol `"lake"`.

    Args:
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        size: The side in pixels to shrink the scans of 105x105 to, as
            `load("omniglot")` does; 105 leaves them as they are.

    Returns:
        The pictures and what they show.

    Raises:
        FileNotFoundError: When they are not in the data folder.
        ValueError: When they are damaged there, or for a size that is not
            between 1 and 105.

    Example:

    ```python
    runs = load_lake_runs()
    runs.support.shape  # (20, 20, 28, 28, 1)
    runs.alphabets[0], runs.labels[0, 0]  # 'Atlantean', 7
    ```

    Reference: B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum (2015),
    *Human-level concept learning through probabilistic program induction*,
    Science 350(6266).
    """
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= SCAN[0]:
        raise ValueError(
            f"`size` must be an int from 1 to {SCAN[0]}. Received: size={size!r}"
        )
    folder = resolve_data_dir(data_dir)
    scans, labels = _read(folder)
    small = np.stack([shrink(255 - scan, size) for scan in scans.reshape(-1, *SCAN)])
    small = small.reshape(RUNS, 2 * WAYS, size, size, 1)
    characters = _characters()
    names = [
        tuple(f"{alphabet}/character{number:02d}" for number in numbers)
        for alphabet, numbers in characters.items()
    ]
    runs_of_each = RUNS // len(characters)
    return LakeRuns(
        support=small[:, :WAYS],
        query=small[:, WAYS:],
        labels=labels.astype(np.int32),
        alphabets=tuple(np.repeat(list(characters), runs_of_each).tolist()),
        class_names=tuple(n for n in names for _ in range(runs_of_each)),
    )


def runs_path(data_dir: Path) -> Path:
    """Where the table of the runs lies in a data folder."""
    return table_path(data_dir, "omniglot_lake_runs")


def write_runs(
    scans: np.ndarray,
    labels: np.ndarray,
    data_dir: Path,
    *,
    on_progress: OnProgress | None = None,
) -> None:
    """Keeps what `read_runs_archive` returned as a table in a data folder.

    A class is a character of a run: its support picture and its query, and which
    of the run's queries that is as attribute.
    """
    items = np.argsort(labels, axis=1)
    names = [f"run{r:02d}/class{c:02d}" for r in range(1, 21) for c in range(1, 21)]
    layout = TableLayout(
        name="omniglot_lake_runs",
        class_names=tuple(names),
        class_sizes=(2,) * len(names),
        example_shape=(*SCAN, 1),
        dtype=ENCODED_PICTURES,
        groups=tuple(name.split("/")[0] for name in names),
        group_level="run",
        description="Lake's one-shot test, 105x105, ink 255",
        source_digest=hashlib.sha256(scans.tobytes() + labels.tobytes()).hexdigest(),
        attributes=attributes_to_json(items.ravel()),
    )
    queries = np.take_along_axis(scans[:, WAYS:], items[..., None, None], axis=1)
    pairs = np.stack([scans[:, :WAYS], queries], axis=2).reshape(-1, *SCAN)
    files = ((r, lambda r=r: encode_ink(255 - pairs[r])) for r in range(len(pairs)))
    write_table(runs_path(data_dir), layout, files, on_progress=on_progress)


def _read(data_dir: Path) -> tuple[np.ndarray, np.ndarray]:
    path, earlier = runs_path(data_dir), packed_runs_path(data_dir)
    if path.exists():
        scans, labels = _read_table(path)
    elif earlier.exists():
        path, (scans, labels) = earlier, read_packed_runs(earlier)
    else:
        raise FileNotFoundError(
            f"the pictures of Lake's one-shot test are not in {data_dir}. Put "
            f"{RUNS_ARCHIVE} ({_RUNS_URL}) into a folder, alone or with the other "
            "archives of Omniglot, and type `tfmeta datasets import omniglot --from "
            f"DIR`. Received: data_dir {str(data_dir)!r}"
        )
    if scans.shape != (RUNS, 2 * WAYS, *SCAN) or not is_authentic(scans, labels):
        raise _damaged(path, f"scans {scans.shape} of other content")
    return scans, labels


def _read_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        table = open_table(path)
        items = np.asarray(table.class_attributes).reshape(RUNS, WAYS)
        pairs = 255 - np.asarray(table.examples).reshape(RUNS, WAYS, 2, *SCAN)
    # Pillow raises errors of many types on damaged pictures.
    except Exception as error:
        if isinstance(error, PermissionError):
            raise
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    labels = np.argsort(items, axis=1).astype(np.uint8)
    queries = np.take_along_axis(pairs[:, :, 1], labels[..., None, None], axis=1)
    return np.concatenate([pairs[:, :, 0], queries], axis=1), labels


def _characters() -> dict[str, list[int]]:
    text = resources.files("tfmeta.datasets.omniglot").joinpath("lake_runs.json")
    return json.loads(text.read_text(encoding="utf-8"))["characters"]


def _damaged(path: Path, received: str) -> ValueError:
    return ValueError(
        f"{path} must be the pictures of Lake's one-shot test as tfmeta keeps them. "
        "It is damaged or of another version: delete it and import again with `tfmeta "
        f"datasets import omniglot --from DIR`, DIR with {RUNS_ARCHIVE}. Received: "
        f"{received}"
    )
