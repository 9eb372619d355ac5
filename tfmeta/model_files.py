"""Model files from somewhere else: how much they hold is known before they are read.

A file of a megabyte may unpack to gigabytes: members of a zip archive, chunks of an
HDF5 file, and arrays there that were never written, which count as their fill value.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import h5py

ENVIRONMENT_VARIABLE = "TFMETA_MAX_MODEL_BYTES"
_USUAL = 2**30

_PIECE = 2**20
_IN_MEMORY = 2**26

# What `zipfile` and h5py raise of damaged files.
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    LookupError,
    OverflowError,
    TypeError,
)


class ModelTooLarge(ValueError):
    """A model file that holds more than it may."""


def most_bytes() -> int:
    """What a model file may hold, unpacked: `TFMETA_MAX_MODEL_BYTES`, or 1 GiB.

    Raises:
        ValueError: When the variable is no number of bytes.
    """
    given = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
    if not given:
        return _USUAL
    if not given.isdecimal() or not int(given):
        raise ValueError(
            f"{ENVIRONMENT_VARIABLE} must be a number of bytes. Received: {given!r}"
        )
    return int(given)


def check_model_file(path: Path) -> None:
    """Checks how much a model file holds: a `.keras` file, weights, or an `.npz` file.

    What the directory of an archive says is checked first; then each member is
    unpacked, no further than it says, and weights in it are looked at.

    Args:
        path: The file.

    Raises:
        OSError: When it cannot be read; names it.
        ModelTooLarge: When it holds more than `most_bytes`; names it.
        ValueError: When it is damaged, or refers to other files; names it.
    """
    most = most_bytes()
    with path.open("rb") as file:
        archive = zipfile.is_zipfile(file)
        file.seek(0)
        try:
            if archive:
                _check_archive(path, file, most)
            elif h5py.is_hdf5(path):
                _check_weights(f"{path}", file, most)
        except OSError as error:
            if error.errno:  # The disk's, which h5py's of a damaged file are not.
                raise
            raise _damaged(path, error) from error
        except _DAMAGES as error:
            raise _damaged(path, error) from error


@contextlib.contextmanager
def loading(what: str, path: Path, advice: str = "") -> Iterator[None]:
    """Loads a model file; whatever that raises becomes one line that names it.

    Args:
        what: What it must be.
        path: The file, or the folder of a SavedModel.
        advice: What to do when it is not.

    Raises:
        ValueError: For an error of any kind but those of the system, such as no memory.
    """
    try:
        yield
    # What Keras and TensorFlow raise on damaged and hostile files is of many types.
    except Exception as error:
        raise ValueError(
            f"{path} must be {what}. Received: one that cannot be used "
            f"({first_line(error)}){advice and '; '}{advice}"
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says, in one line of bearable length."""
    line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {line[:300]}" if line else type(error).__name__


def _check_archive(path: Path, file: IO[bytes], most: int) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        for member in members:
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Others are unpacked by `zipfile` as far as they go.
                raise ValueError(
                    f"{path} must hold stored or deflated members. Received: "
                    f"{member.filename!r} of compression {member.compress_type}"
                )
        total = sum(member.file_size for member in members)
        if total > most:
            raise _too_much(path, total, most, f"{len(members)} members")
        for member in members:
            large = member.file_size > _IN_MEMORY
            with tempfile.TemporaryFile() if large else io.BytesIO() as unpacked:
                _unpack(archive, member, unpacked)
                unpacked.seek(0)
                if member.filename.endswith(".h5"):
                    _check_weights(f"{path}, {member.filename}", unpacked, most)


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, into: IO[bytes]) -> None:
    """Unpacks a member, which raises where it is of another size or content."""
    left = member.file_size
    with archive.open(member) as packed:
        while piece := packed.read(_PIECE):
            left -= len(piece)
            if left < 0:
                break
            into.write(piece)
    if left:
        raise EOFError(f"{member.filename!r} of another size than it says")


def _check_weights(name: str, file: IO[bytes], most: int) -> None:
    """Checks an HDF5 file by the shapes that it says, before any array is read."""
    total = 0

    def look(where: str, found: Any) -> None:
        nonlocal total
        if not isinstance(found, h5py.Dataset):
            return
        if found.external or found.is_virtual:
            raise ValueError(
                f"{name} must hold its arrays itself. Received: {where!r}, which is in "
                "another file"
            )
        if found.id.get_create_plist().get_nfilters():
            # They are unpacked as far as they go, whatever the shape says.
            raise ValueError(
                f"{name} must hold its arrays as Keras writes them, uncompressed. "
                f"Received: {where!r}, which is not"
            )
        if found.shape is not None:
            counts = [found.size, math.prod(found.chunks or ())]
            total += max(counts) * found.dtype.itemsize
        if total > most:
            raise _too_much(name, total, most, f"the arrays up to {where!r}")

    with h5py.File(file, "r") as weights:
        _refuse_links(name, weights, most_levels=100)
        weights.visititems(look)


def _refuse_links(name: str, group: h5py.Group, *, most_levels: int) -> None:
    """Refuses links into other files, which `visititems` passes over."""
    if not most_levels:
        raise ValueError(f"{name} must not be nested deeper than 100 groups")
    for key in group:
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.HardLink):
            if group.get(key, getclass=True) is h5py.Group:
                _refuse_links(name, group[key], most_levels=most_levels - 1)
        else:
            raise ValueError(
                f"{name} must hold its arrays itself. Received: the link {key!r}"
            )


def _too_much(name: object, total: int, most: int, where: str) -> ModelTooLarge:
    return ModelTooLarge(
        f"{name} must hold at most {most:,} bytes when it is unpacked (set "
        f"{ENVIRONMENT_VARIABLE} for more). Received: {total:,} of {where}"
    )


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} must be a whole file of a model. Received: a damaged one "
        f"({first_line(error)})"
    )


def load_saved_model(path: str | os.PathLike[str]) -> Any:
    """What `tf.saved_model.load` gives, also for a path that it takes for a pattern.

    Such as `runs/my[1]`: TensorFlow looks for the variables of `runs/my1` there.
    """
    import tensorflow as tf

    if not set("*?[]\\") & set(os.fspath(path)):
        return tf.saved_model.load(os.fspath(path))
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "model"
        link.symlink_to(Path(path).resolve(), target_is_directory=True)
        return tf.saved_model.load(str(link))
