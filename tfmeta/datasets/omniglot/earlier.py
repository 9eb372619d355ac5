"""Files of Omniglot that earlier versions left in data folders."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.omniglot.archives import DRAWINGS_PER_CHARACTER
from tfmeta.datasets.omniglot.characters import all_characters, alphabet_of

_FORMAT = 1


def packed_path(data_dir: Path, size: int) -> Path:
    """Where such a version packed pictures of one size."""
    return data_dir / "packed" / f"omniglot_{size}x{size}.npz"


def packed_runs_path(data_dir: Path) -> Path:
    """Where such a version packed the pictures of Lake's test."""
    return data_dir / "packed" / "omniglot_lake_runs.npz"


def read_packed(path: Path, size: int) -> ClassTable:
    """Reads packed pictures of one size, and checks that they are whole.

    Args:
        path: The file.
        size: Side of its pictures in pixels.

    Returns:
        The table of all characters.

    Raises:
        ValueError: When the file is truncated, damaged or something else.
    """
    examples, names = _read(path, "examples", "class_names")
    expected = (len(all_characters()) * DRAWINGS_PER_CHARACTER, size, size, 1)
    if (
        examples.dtype != np.uint8
        or examples.shape != expected
        or names.dtype.kind != "U"
        or tuple(names.tolist()) != all_characters()
    ):
        raise _damaged(
            path,
            f"examples {examples.dtype} {examples.shape}, class_names {names.dtype} "
            f"{names.shape}",
        )
    return ClassTable(
        name="omniglot",
        examples=examples,
        offsets=np.arange(len(names) + 1) * DRAWINGS_PER_CHARACTER,
        class_names=all_characters(),
        groups=tuple(map(alphabet_of, all_characters())),
        group_level="alphabet",
    )


def read_packed_runs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads the packed scans and answers of Lake's test, as `read_runs_archive`.

    Raises:
        ValueError: When the file is truncated, damaged or something else.
    """
    scans, labels = _read(path, "scans", "labels")
    return scans, labels


def _read(path: Path, *names: str) -> list[np.ndarray]:
    try:
        # allow_pickle=False: a data file must never be able to run code.
        with np.load(path, allow_pickle=False) as stored:
            version: Any = int(stored["format"])
            arrays = [stored[name] for name in names]
    except (FileNotFoundError, PermissionError):
        raise
    except (
        *(ValueError, KeyError, EOFError, OSError, NotImplementedError, TypeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if version != _FORMAT:
        raise _damaged(path, f"format {version}")
    return arrays


def _damaged(path: Path, received: str) -> ValueError:
    return ValueError(
        f"{path} must be Omniglot as tfmeta packed it. It is damaged or of another "
        "version: delete it and import again with `tfmeta datasets import omniglot "
        f"--from DIR`. Received: {received}"
    )
