"""What an estimator is given, as the features that a frozen encoder makes of it."""

from __future__ import annotations

import dataclasses
import functools
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
from sklearn.utils import assert_all_finite

from tfmeta.argument_names import renamed_arguments
from tfmeta.classifying.photographs import KEPT_IN, photograph_reader
from tfmeta.encoders import pretrained
from tfmeta.features import encoder_digest, features_dir, features_of
from tfmeta.features.encoding import reader_for
from tfmeta.learners.encoder_check import check_encoder, check_gives_vectors
from tfmeta.registry import ENCODERS
from tfmeta.signatures.example_spec import example_spec

# Name or path of one, or the encoder itself.
Encoder: TypeAlias = str | os.PathLike[str] | keras.Model
CacheDir: TypeAlias = Literal["auto"] | str | os.PathLike[str] | None

# The check saves and loads an encoder, which takes a second.
_CHECKED: weakref.WeakSet[keras.Model] = weakref.WeakSet()


@dataclasses.dataclass(frozen=True)
class InputEncoder:
    """The encoder of an estimator: what says which it is, and nothing of TensorFlow.

    Attributes:
        encoder: As of `tfmeta.encoders.pretrained`, or the encoder itself.
        size: Height and width that it looks at, `None` for its own.
        digest: Of the encoder of that name; `None` where it is given itself.
    """

    encoder: Encoder
    size: int | None
    digest: str | None

    @classmethod
    def of(cls, encoder: Encoder, size: int | None) -> InputEncoder:
        """The encoder as it is now.

        Raises:
            TypeError: When it is no encoder.
            ValueError: When there is none of this name or size, or it gives no vectors.
            ImportError: When the package that holds it is not installed.
        """
        return cls(encoder, size, _load(encoder, size)[1])

    def encode(
        self, inputs: Any, cache_dir: CacheDir, *, count: int | None = None
    ) -> np.ndarray:
        """What the encoder makes of the `X` of an estimator.

        Args:
            inputs: A sequence of what the encoder takes, also an array or a column of
                pandas. For an encoder of pictures: files (`str` or `pathlib.Path`), or
                arrays of pixels. For one of texts: `str`. For others: arrays.
            cache_dir: Where features are kept: `"auto"` for `features_dir()`, a folder,
                or `None` for nowhere.
            count: How many there must be, if that is known.

        Returns:
            Float64 `(examples, features)`.

        Raises:
            TypeError: When it is no sequence.
            ValueError: When there are no examples, or one is none that the encoder
                takes, cannot be read or is not finite; and when there is another
                encoder of this name by now.
            OSError: When a file cannot be read.
        """
        encoder, digest = _load(self.encoder, self.size)
        if digest != self.digest:
            raise ValueError(
                f"`encoder` must be the one of the fit, whose digest is {self.digest}. "
                f"Received: {self.encoder!r}, {digest} by now; call fit again"
            )
        takes = _Takes(encoder)
        examples = takes.examples(inputs)
        if not len(examples):
            raise ValueError(f"`X` must hold {takes.words}. Received: 0 sample(s)")
        if count not in (None, len(examples)):
            raise ValueError(
                "`X` must hold as many examples as `y` has labels. Received: "
                f"{len(examples)} examples, {count} labels"
            )
        folder = None
        if cache_dir is not None:
            folder = features_dir() if cache_dir == "auto" else Path(cache_dir)
            if takes.photographs:
                folder /= KEPT_IN
        features = features_of(encoder, examples, cache_dir=folder, read=takes.read)
        return features.astype(np.float64)


def input_rank(encoder: Encoder) -> int:
    """How many axes `X` has as an array: 1 for texts, 4 for pictures.

    Of an encoder that is known by its name; 4 where only its file says it.
    """
    if isinstance(encoder, keras.Model):
        taken = getattr(encoder, "inputs", None)
        return len(taken[0].shape) if taken else 4
    entry = ENCODERS.get(str(encoder))
    return 1 if entry is not None and "text" in entry.examples else 4


def _load(encoder: Encoder, size: int | None) -> tuple[keras.Model, str | None]:
    """The encoder that is meant, and its digest if it is given by name."""
    if isinstance(encoder, str | os.PathLike):
        path = Path(encoder)
        # Another file may be written there.
        stamp = path.stat().st_mtime_ns if path.exists() else None
        return _loaded(os.fspath(encoder), size, stamp)
    if not isinstance(encoder, keras.Model):
        raise TypeError(
            "`encoder` must be the name of one (see tfmeta.encoders.pretrained), a "
            f"keras.Model, or None for features. Received: encoder={encoder!r:.80}"
        )
    if size is not None:
        raise ValueError(
            "`size` must be None for an encoder that is given as a keras.Model. "
            f"Received: size={size!r}"
        )
    if encoder not in _CHECKED:
        usable = check_encoder(encoder)
        check_gives_vectors(usable)
        if usable is not encoder:
            return usable, None
        _CHECKED.add(encoder)
    return encoder, None


@functools.lru_cache(maxsize=4)
def _loaded(name: str, size: int | None, stamp: int | None) -> tuple[keras.Model, str]:
    with renamed_arguments({"name": "encoder"}):
        encoder = pretrained(name, size=size)
    return encoder, encoder_digest(encoder)


class _Takes:
    """What an encoder takes, and the same in words."""

    def __init__(self, encoder: keras.Model) -> None:
        spec = example_spec(encoder, None)
        self.shape, self.dtype = spec.shape, spec.dtype.name
        self.texts = self.dtype == "string" and not self.shape
        self._pixels = spec.value_range is not None
        pictures = len(self.shape) == 3 and self.shape[2] in (1, 3, None)
        self.photographs = pictures and self._pixels and None in self.shape[:2]
        self.read: Callable[[Path], np.ndarray] | None = None
        if self.photographs:
            self.read = photograph_reader(encoder)
        elif pictures and self._pixels:
            # As its own tables were read, which are of one size.
            self.read = reader_for(encoder)
        self.words = f"{self.dtype} arrays of shape {self.shape}"
        if self.texts:
            self.words = "texts (str)"
        elif self.read is not None:
            self.words = f"files of pictures (str, pathlib.Path), or {self.words}"

    def examples(self, inputs: Any) -> np.ndarray | list[str | Path | np.ndarray]:
        """As `features_of` takes them."""
        if hasattr(inputs, "to_numpy"):
            inputs = inputs.to_numpy()
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind not in "OUS":
            return self._array(inputs, inputs.shape[1:])
        if isinstance(inputs, np.ndarray):
            sequence = inputs.ndim == 1
        else:
            sequence = hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__")
            sequence = sequence and not isinstance(inputs, str | bytes | dict)
        if not sequence:
            received = f"shape {inputs.shape}" if hasattr(inputs, "shape") else inputs
            raise TypeError(
                f"`X` must be a sequence of {self.words}. Received: {received!r:.80}"
            )
        return [self._example(one) for one in inputs]

    def _example(self, one: Any) -> str | Path | np.ndarray:
        if isinstance(one, str | Path):
            if self.texts and isinstance(one, str):
                return str(one)
            if self.read is not None:
                return Path(one)
            kind = "text" if isinstance(one, str) else "file"
            raise ValueError(f"`X` must hold {self.words}. Received: the {kind} {one}")
        array = np.asarray(one)
        return self._array(array, array.shape)

    def _array(self, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        fits = len(shape) == len(self.shape) and all(
            w in (None, g) for g, w in zip(shape, self.shape, strict=True)
        )
        kinds = "biuf" if "float" in self.dtype else "biu"
        if self._pixels:
            kinds = "f"  # Pixels of 16 bits are no pixels of 8.
        same = array.dtype.name == self.dtype
        if self.texts or not fits or not (same or array.dtype.kind in kinds):
            raise ValueError(
                f"`X` must hold {self.words}. Received: {array.dtype.name} of shape "
                f"{shape}"
            )
        assert_all_finite(array, input_name="X")
        if same:
            return array
        if self._pixels and array.size and 0 < array.max() <= 1:
            raise ValueError(
                f"`X` must hold {self.words}; as floats they are from 0 to 255. "
                f"Received: {array.dtype.name} of shape {shape}, none above 1"
            )
        return array.astype(np.float32 if self._pixels else self.dtype)
