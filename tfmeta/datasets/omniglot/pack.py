"""Omniglot in one packed file of pictures of one size, from the TFDS data set."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tfmeta.durable import put_in_place

SIZE = 28
SCAN_SIZE = 105
CHARACTERS = 1623
PICTURES_PER_CHARACTER = 20
BACKGROUND_CHARACTERS = 964

_FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False)
class PackedOmniglot:
    """All of Omniglot, in memory.

    Args:
        examples: Uint8 array of shape `(32460, size, size, 1)`, 20 pictures for
            each character, characters in the order of `class_names`. Ink is
            bright: 255 where a pixel is all ink, 0 where it is all paper.
        class_names: The 1,623 characters, sorted, as `"Alphabet/characterNN"`.
        background: Bool array of shape `(1623,)`: whether a character belongs
            to the background set (else to the evaluation set).
    """

    examples: np.ndarray
    class_names: tuple[str, ...]
    background: np.ndarray


def packed_path(data_dir: Path, size: int = SIZE) -> Path:
    """Where the packed file of a data folder lies, for pictures of one size."""
    return data_dir / "packed" / f"omniglot_{size}x{size}.npz"


def shrink(picture: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Turns one Omniglot scan into a small picture of its ink.

    The scan, dark ink on light ground, is inverted and resized by Pillow's
    `BILINEAR` filter, which averages over all pixels that a target pixel
    covers when it shrinks (antialiasing). `tfmeta.datasets.reading.pictures` resizes
    in the same way.

    Args:
        picture: Uint8 array of shape `(height, width)`.
        size: The side of the result in pixels; a scan of that size is only
            inverted.

    Returns:
        Uint8 array of shape `(size, size)`.
    """
    image = Image.fromarray(255 - picture)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def pack_prepared(
    builder: Any,
    path: Path,
    *,
    size: int = SIZE,
    on_picture: Callable[[], None] | None = None,
) -> PackedOmniglot:
    """Reads a prepared TFDS `omniglot` once and writes the packed file.

    The file is written under a temporary name and then renamed, so that a
    killed process never leaves half a file under the final name.

    Args:
        builder: The prepared `tfds.core.DatasetBuilder`.
        path: Where to write.
        size: Side of the pictures in pixels.
        on_picture: Called whenever a picture was read.

    Returns:
        What was written.

    Raises:
        ValueError: When the prepared data is damaged or not all of Omniglot.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    # Pillow decodes the one-bit pictures faster than TensorFlow makes three
    # channels of them.
    undecoded = {"image": tfds.decode.SkipDecoding()}
    pictures, labels, splits = [], [], []
    try:
        for split in ("train", "test"):
            dataset = builder.as_dataset(
                split, batch_size=256, shuffle_files=False, decoders=undecoded
            )
            for batch in dataset.as_numpy_iterator():
                for content in batch["image"]:
                    pictures.append(shrink(_decode(content), size))
                    if on_picture is not None:
                        on_picture()
                labels.append(batch["label"])
                splits.append(np.full(len(batch["label"]), split == "train"))
    except tf.errors.OpError as error:
        raise ValueError(
            f"the prepared TFDS data set at {builder.data_path} must be readable; "
            f"delete that folder and import again. Received: {error.message}"
        ) from error
    names = [_class_name(n) for n in builder.info.features["label"].names]
    codes = np.concatenate(labels)
    rank = np.argsort(np.argsort(names))  # place of each label in sorted order
    order = np.argsort(rank[codes], kind="stable")
    sizes = np.bincount(codes, minlength=len(names))
    if len(names) != CHARACTERS or not np.all(sizes == PICTURES_PER_CHARACTER):
        raise ValueError(
            f"the prepared TFDS data set at {builder.data_path} must hold "
            f"{CHARACTERS:,} characters of {PICTURES_PER_CHARACTER} pictures. "
            f"Received: {len(names):,} characters of {sizes.min()} to "
            f"{sizes.max()} pictures; delete that folder and import again"
        )
    packed = PackedOmniglot(
        examples=np.stack(pictures)[order][..., np.newaxis],
        class_names=tuple(sorted(names)),
        background=np.concatenate(splits)[order][::PICTURES_PER_CHARACTER],
    )
    _write(packed, path)
    return packed


def read_packed(path: Path, size: int = SIZE) -> PackedOmniglot:
    """Reads a packed file and checks that it is whole.

    Args:
        path: The file.
        size: Side of its pictures in pixels.

    Returns:
        Its content.

    Raises:
        ValueError: When the file is truncated, damaged or something else.
    """
    try:
        # allow_pickle=False: a data file must never be able to run code.
        with np.load(path, allow_pickle=False) as stored:
            version = int(stored["format"])
            examples = stored["examples"]
            names = stored["class_names"]
            background = stored["background"]
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise _damaged(path, size, f"{type(error).__name__}: {error}") from error
    found = (
        f"format {version}, examples {examples.dtype} {examples.shape}, "
        f"class_names {names.dtype} {names.shape}, "
        f"background {background.dtype} {background.shape}"
    )
    if (
        version != _FORMAT
        or examples.dtype != np.uint8
        or examples.shape != (CHARACTERS * PICTURES_PER_CHARACTER, size, size, 1)
        or names.dtype.kind != "U"
        or names.shape != (CHARACTERS,)
        or len(np.unique(names)) != CHARACTERS
        or background.dtype != np.bool_
        or background.shape != (CHARACTERS,)
        or int(background.sum()) != BACKGROUND_CHARACTERS
    ):
        raise _damaged(path, size, found)
    return PackedOmniglot(examples, tuple(str(n) for n in names), background)


def _decode(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("L"))


def _class_name(label: str) -> str:
    """`Arcadian_0` of TFDS as `Arcadian/character01` of the archives."""
    alphabet, index = label.rsplit("_", 1)
    return f"{alphabet}/character{int(index) + 1:02d}"


def _write(packed: PackedOmniglot, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(path.name + ".building")
    with building.open("wb") as file:
        np.savez_compressed(
            file,
            format=np.int64(_FORMAT),
            examples=packed.examples,
            class_names=np.asarray(packed.class_names),
            background=packed.background,
        )
    put_in_place(building, path)


def _damaged(path: Path, size: int, received: str) -> ValueError:
    again = (
        "import again with `tfmeta datasets import omniglot --from DIR`"
        if size == SIZE
        else "load it again, which packs it anew"
    )
    return ValueError(
        f"{path} must be Omniglot as packed by tfmeta ({CHARACTERS:,} characters "
        f"of {PICTURES_PER_CHARACTER} pictures of {size}x{size}). It is damaged or "
        f"of another version: delete it and {again}. Received: {received}"
    )
