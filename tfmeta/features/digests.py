"""What features depend on, as digests: the content of examples and of an encoder."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np

from tfmeta.datasets.storage.encoded_pictures import EncodedPictures
from tfmeta.datasets.storage.examples import Examples, StoredExamples
from tfmeta.datasets.storage.selected import SelectedExamples
from tfmeta.json_files import json_text

DIGEST_BYTES = 16

# Raised when the same encoder and example would give other features than before.
_FORMAT = 1

_AT_ONCE = 256

# Rows of a table, or examples of any shapes: arrays, texts, files of pictures.
AnyExamples: TypeAlias = Examples | Sequence[np.ndarray | str | Path]

# What does not change what an encoder gives for an example: it was initialized
# and built once, and an example says its shape itself.
_WITHOUT_EFFECT = frozenset({"batch_shape", "build_config", "trainable"})


def example_digests(examples: AnyExamples) -> np.ndarray:
    """Digests of the content of examples.

    A picture in a file counts by the bytes of the file, all else by what an encoder
    is given: dtype, shape and values, or the text.

    Args:
        examples: Examples of a table, or a sequence of arrays, texts (`str`) or
            files of pictures (`pathlib.Path`).

    Returns:
        Uint8 `(examples, 16)`.

    Raises:
        OSError: When a file cannot be read.

    Example:

    ```python
    example_digests(table.examples)[3]  # other bytes when picture 3 is another
    ```
    """
    digests = np.empty((len(examples), DIGEST_BYTES), np.uint8)
    for row, content in enumerate(_contents(examples)):
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for piece in content:
            digest.update(piece)
        digests[row] = np.frombuffer(digest.digest(), np.uint8)
    return digests


def encoder_digest(encoder: keras.Model) -> str:
    """Digest of an encoder: its architecture and the content of its weights.

    Names of layers have no part in it, as they count how many there were before in
    a process; nor does what serves training alone.

    Args:
        encoder: A built `keras.Model`.

    Returns:
        32 hexadecimal digits.

    Example:

    ```python
    encoder_digest(encoder)  # the same after saving, loading and freezing
    ```
    """
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    architecture = _Architecture().of(keras.saving.serialize_keras_object(encoder))
    # Files of pictures are read in the size of the encoder, where it takes one alone.
    shapes = [list(given.shape[1:]) for given in encoder.inputs]
    digest.update(json_text([_FORMAT, shapes, architecture], "an encoder").encode())
    for weight in encoder.weights:
        for piece in _of_array(keras.ops.convert_to_numpy(weight)):
            digest.update(piece)
    for layer in encoder._flatten_layers():
        for piece in _assets(layer):
            digest.update(piece)
    return digest.hexdigest()


def _assets(layer: keras.Layer) -> Iterator[bytes]:
    """What a layer keeps beside its weights, as a vocabulary that it has counted."""
    save = getattr(layer, "save_assets", None)
    if save is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        save(folder)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                yield path.relative_to(folder).as_posix().encode()
                yield path.read_bytes()


def _contents(examples: AnyExamples) -> Iterator[Sequence[Any]]:
    files, rows = examples, np.arange(len(examples))
    if isinstance(examples, SelectedExamples):
        files, rows = examples.parent, examples.rows
    if isinstance(files, EncodedPictures):
        shape = f"file {files.picture_shape}".encode()
        for row in rows:
            yield shape, files.file(int(row))
        return
    if isinstance(examples, StoredExamples | np.memmap):
        for start in range(0, len(examples), _AT_ONCE):
            yield from map(_of_array, np.asarray(examples[start : start + _AT_ONCE]))
        return
    for example in examples:
        if isinstance(example, Path):
            yield b"file", example.read_bytes()
        elif isinstance(example, str):
            yield b"text", example.encode("utf-8", "surrogatepass")
        else:
            yield _of_array(np.asarray(example))


def _of_array(array: np.ndarray) -> tuple[bytes, memoryview]:
    array = np.ascontiguousarray(array)
    header = f"{array.dtype.str} {array.shape}".encode()
    return header, array.reshape(-1).view(np.uint8).data


class _Architecture:
    """A serialized model as plain values, its layers by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, value: Any) -> Any:
        """A part of it; layers are numbered as they appear."""
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                value = {"keras_history": value["config"]["keras_history"]}
            kept = {
                key: part
                for key, part in value.items()
                if key not in _WITHOUT_EFFECT and not key.endswith("_initializer")
            }
            return {key: self._named(key, part) for key, part in sorted(kept.items())}
        if isinstance(value, list | tuple):
            return [self.of(part) for part in value]
        if value is None or isinstance(value, str | bool | int | float):
            # JSON has no infinity, which the bound of a layer may be.
            return repr(value) if isinstance(value, float) else value
        return repr(value)

    def _named(self, key: str, part: Any) -> Any:
        if key == "name" and isinstance(part, str):
            return self._number(part)
        if key in ("keras_history", "input_layers", "output_layers"):
            return self._history(part)
        return self.of(part)

    def _history(self, part: Any) -> Any:
        if isinstance(part, str):
            return self._number(part)
        if isinstance(part, dict):
            return {key: self._history(inner) for key, inner in part.items()}
        if isinstance(part, list | tuple):
            return [self._history(inner) for inner in part]
        return part

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))
