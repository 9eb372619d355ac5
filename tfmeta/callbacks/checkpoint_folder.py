"""A checkpoint as one folder that is either there in full or not at all.

The folder is built under a temporary name, every file is flushed to the disk,
and a single rename makes it the latest checkpoint: whoever is killed in
between leaves the previous checkpoint untouched. Needs NumPy alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tfmeta.durable import flush, naming, put_in_place, remove, writing
from tfmeta.json_files import json_text, read_json
from tfmeta.json_types import check_type
from tfmeta.model_files import check_model_file, first_line
from tfmeta.one_writer import check_owned

# 2 writes numbers that are not finite, such as the best value of a callback before
# the first epoch, as JSON has them; 1 is read as well.
FORMAT_VERSION = 2

_MANIFEST = "manifest.json"
_STATE = "state.json"
_ARRAYS = "arrays.npz"
_NOT_FINITE = "not finite"
_NAME = re.compile(r"checkpoint-(\d{8,})")
_BUILDING, _REMOVING = ".building-", ".removing-"


class _Versioned(TypedDict):
    """What a manifest holds, of whatever version."""

    format_version: int


class _Manifest(_Versioned):
    """What the manifest of this version holds."""

    environment: dict[str, Any]
    sha256: dict[str, str]


class _Layout(TypedDict):
    """How an array is stored."""

    dtype: str
    shape: list[int]


class _State(TypedDict):
    """What `state.json` holds."""

    state: dict[str, Any]
    arrays: dict[str, _Layout]
    files: list[str]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint folder holds.

    Args:
        folder: Where it lies.
        environment: The software and settings it was written with.
        state: Anything that JSON holds; floats come back exactly.
        arrays: Arrays of any NumPy dtype, `bfloat16` among them.
        files: Copies of other files, by the name they were given.
    """

    folder: Path
    environment: dict[str, Any]
    state: dict[str, Any]
    arrays: dict[str, np.ndarray]
    files: dict[str, Path]


def save_checkpoint(
    root: Path,
    number: int,
    *,
    environment: Mapping[str, Any],
    state: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    files: Mapping[str, Path],
) -> Path:
    """Writes `root/checkpoint-<number>`, then removes the ones before it.

    Args:
        root: Folder of the checkpoints, made when absent.
        number: The latest checkpoint is the one with the highest number.
        environment: See `Checkpoint`.
        state: See `Checkpoint`.
        arrays: See `Checkpoint`.
        files: Name inside the checkpoint to the file to copy.

    Returns:
        The folder of the checkpoint.

    Raises:
        FileExistsError: When there is a checkpoint of this number or above.
        OSError: When it cannot be written, as on a full disk; the ones before stay.
    """
    check_owned(root)
    root.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(root)
    older = list_checkpoints(root)
    target = root / f"checkpoint-{number:08d}"
    if older and _number(older[-1]) >= number:
        raise FileExistsError(
            f"{root} must hold no checkpoint as new as {target.name}; is another "
            f"run writing to the same folder? Received: {older[-1]}"
        )
    building = root / f"{_BUILDING}{target.name}"
    with naming(target):
        try:
            _build(building, target, environment, state, arrays, files)
            # Flushed, or a power failure could undo the rename but not the removals.
            put_in_place(building, target)
        except BaseException:
            remove(building)
            raise
    for folder in older:
        # Renamed first: a removal that is cut short must not leave a folder
        # that looks like a checkpoint.
        removing = folder.with_name(_REMOVING + folder.name)
        os.rename(folder, removing)
        shutil.rmtree(removing, ignore_errors=True)
    return target


def _build(
    building: Path,
    target: Path,
    environment: Mapping[str, Any],
    state: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    files: Mapping[str, Path],
) -> None:
    """Writes what becomes a checkpoint, down to the disk."""
    building.mkdir()
    for name, source in files.items():
        shutil.copyfile(source, building / name)
    stored: dict[str, Any] = {
        key: _to_storable(np.asarray(array)) for key, array in arrays.items()
    }
    np.savez(building / _ARRAYS, **stored)
    layout = {
        key: {"dtype": np.asarray(array).dtype.name, "shape": np.shape(array)}
        for key, array in arrays.items()
    }
    content = {
        "state": _named(dict(state)),
        "arrays": layout,
        "files": sorted(files),
    }
    text = json_text(content, target / _STATE, indent=1)
    (building / _STATE).write_text(text, "utf-8")
    manifest = {
        "format_version": FORMAT_VERSION,
        "environment": dict(environment),
        "sha256": {path.name: _sha256(path) for path in sorted(building.iterdir())},
    }
    text = json_text(manifest, target / _MANIFEST, indent=1)
    (building / _MANIFEST).write_text(text, "utf-8")
    for path in building.iterdir():
        flush(path)


def list_checkpoints(root: Path) -> list[Path]:
    """The folders of the complete checkpoints in `root`, oldest first."""
    if not root.is_dir():
        return []
    return sorted(
        (path for path in root.iterdir() if _NAME.fullmatch(path.name)), key=_number
    )


def load_checkpoint(root: Path) -> Checkpoint | None:
    """Reads the latest checkpoint in `root` and checks that it is intact.

    Returns:
        The checkpoint, or `None` when `root` holds none.

    Raises:
        ValueError: When a file is missing or damaged, or when a later tfmeta
            wrote the checkpoint in a format that this one cannot read.
    """
    folders = list_checkpoints(root)
    if not folders:
        return None
    folder = folders[-1]
    try:
        manifest = read_json(folder / _MANIFEST, _Versioned)
        version = manifest["format_version"]
        # A later version may have renamed whatever else there is.
        readable = version <= FORMAT_VERSION
        if readable:
            check_type(manifest, _Manifest, folder / _MANIFEST)
            _check_names(manifest["sha256"])
    except (OSError, ValueError) as error:
        raise _damaged(folder, _MANIFEST, f"{type(error).__name__}: {error}") from error
    if not readable:
        raise ValueError(
            f"checkpoint {folder} was written by a later tfmeta: update tfmeta to "
            "resume from it, or give another folder to start anew. This version "
            f"reads format {FORMAT_VERSION} and below. Received: format {version}"
        )
    for name, digest in manifest["sha256"].items():
        path = folder / name
        found = _sha256(path) if path.is_file() else "no such file"
        if found != digest:
            raise _damaged(folder, name, f"SHA-256 {found} instead of {digest}")
    content = _read_state(folder)
    try:
        check_model_file(folder / _ARRAYS)
        with np.load(folder / _ARRAYS, allow_pickle=False) as stored:
            arrays = {
                key: stored[key]
                .view(np.dtype(layout["dtype"]))
                .reshape(layout["shape"])
                for key, layout in content["arrays"].items()
            }
    # What NumPy raises on files that others have made is of many types.
    except Exception as error:
        raise _damaged(folder, _ARRAYS, first_line(error)) from error
    return Checkpoint(
        folder=folder,
        environment=manifest["environment"],
        state=content["state"],
        arrays=arrays,
        files={name: folder / name for name in content["files"]},
    )


def _read_state(folder: Path) -> dict[str, Any]:
    """The content of `state.json`.

    Raises:
        ValueError: When it is not that; names it.
    """
    try:
        # Format 1 may hold words that are no JSON.
        text = (folder / _STATE).read_text("utf-8")
        content = json.loads(text, object_hook=_unnamed)
        check_type(content, _State, _STATE)
        _check_names(content["files"])
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _damaged(folder, _STATE, first_line(error)) from error
    return content


def _check_names(names: Iterable[str]) -> None:
    """Refuses names that lead out of the folder."""
    for name in names:
        if not name or name != os.path.basename(name) or name in (".", ".."):
            raise ValueError(f"{name[:80]!r}, which is no name of a file in the folder")


def _named(value: Any) -> Any:
    """The value with a word in place of each number that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_NOT_FINITE: str(value)}
    if isinstance(value, Mapping):
        return {key: _named(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_named(part) for part in value]
    return value


def _unnamed(value: dict[str, Any]) -> Any:
    """What `_named` was given, of a mapping that it returned."""
    return float(value[_NOT_FINITE]) if set(value) == {_NOT_FINITE} else value


def replace_file(source: Path, target: Path) -> None:
    """Copies `source` over `target` such that `target` is never half-written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with writing(target) as building:
        shutil.copyfile(source, building)


def _number(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _remove_leftovers(root: Path) -> None:
    """Removes what saves that were cut short left behind."""
    for path in root.iterdir():
        if path.name.startswith((_BUILDING, _REMOVING)):
            shutil.rmtree(path, ignore_errors=True)


def _to_storable(array: np.ndarray) -> np.ndarray:
    if array.dtype.hasobject:
        raise TypeError(
            "`arrays` must hold numbers; objects would need pickle. Received: an "
            f"array of dtype {array.dtype}"
        )
    # An `.npz` forgets dtypes that NumPy does not own, such as bfloat16; their
    # bytes are kept instead.
    if array.dtype.isbuiltin == 1:
        return array
    return np.frombuffer(array.tobytes(), np.uint8)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _damaged(folder: Path, name: str, reason: str) -> ValueError:
    return ValueError(
        f"file {folder / name} of the latest checkpoint is damaged. Put an intact "
        f"copy in its place, or remove {folder} to resume from the checkpoint "
        "before it, where there is one, and from the beginning otherwise. "
        f"Received: {reason}"
    )
