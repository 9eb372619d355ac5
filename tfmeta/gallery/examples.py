"""What is enrolled and asked: pictures, texts or arrays, as an encoder takes them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from tfmeta.classifying.photographs import photograph_form
from tfmeta.datasets.reading.ground import invert_pictures
from tfmeta.datasets.reading.photographs import read_photograph
from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.features.encoding import in_one_graph
from tfmeta.finite_checks import check_finite
from tfmeta.gallery.records import Original

# A file of a picture, its content, a text, or an array as the encoder takes it.
Example: TypeAlias = Path | bytes | str | np.ndarray

# Pictures at once, and others: networks for pictures take some ten megabytes for each.
_PICTURES, _OTHERS = 32, 256


def original_of(example: Example) -> Original:
    """What an example is made of, in bytes.

    Raises:
        OSError: When a file cannot be read.
    """
    if isinstance(example, Path):
        example = example.read_bytes()
    if isinstance(example, bytes):
        return Original.of("picture", example)
    if isinstance(example, str):
        return Original.of("text", example.encode("utf-8", "surrogatepass"))
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(example), allow_pickle=False)
    return Original.of("array", file.getvalue())


def example_of(original: Original) -> Example:
    """The example again; a picture as its bytes."""
    if original.kind == "picture":
        return original.content
    if original.kind == "text":
        return original.content.decode("utf-8", "surrogatepass")
    return np.lib.format.read_array(io.BytesIO(original.content), allow_pickle=False)


class ExampleEncoder:
    """Embeds examples of any kind that an encoder takes, by one graph.

    Args:
        learner: Whose encoder it is.
        invert: Whether pictures from files are turned from dark on light into light on
            dark, or the other way round.
    """

    def __init__(self, learner: Any, *, invert: bool = False) -> None:
        self._encoder = learner.encoder
        self._spec = learner.example_spec()
        self._invert = invert
        self._apply = in_one_graph(learner.encoder)

    def embed(
        self,
        examples: Sequence[Example] | np.ndarray,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Float32 `(examples, *embedding)`.

        Raises:
            ValueError: When an example is of a kind or shape that the encoder does not
                take, a picture cannot be read, or an embedding is not finite.
            OSError: When a file cannot be read.
        """
        shape = self._encoder.output_shape[1:]
        out = np.empty((len(examples), *shape), np.float32)
        at_once = _PICTURES if len(self._spec.shape) == 3 else _OTHERS
        for start in range(0, len(examples), at_once):
            part = examples[start : start + at_once]
            for places, batch in _by_shape([self.read(one) for one in part]):
                out[start + places] = self._apply(batch).numpy()
            if on_progress is not None:
                on_progress(start + len(part), len(examples))
        check_finite("examples", out)
        return out

    def read(self, example: Example) -> np.ndarray:
        """An example as the encoder takes it."""
        if isinstance(example, Path | bytes):
            return self._picture(example)
        array = np.asarray(example, object if isinstance(example, str) else None)
        wanted = self._spec.shape
        fits = len(array.shape) == len(wanted) and all(
            w in (None, g) for g, w in zip(array.shape, wanted, strict=True)
        )
        if not fits or (self._spec.dtype == "string") != (array.dtype == object):
            raise ValueError(
                "`examples` must be as the encoder takes them, "
                f"{self._spec.dtype.name} of shape {wanted}. Received: "
                + ("a text" if isinstance(example, str) else f"shape {array.shape}")
            )
        return array

    def _picture(self, source: Path | bytes) -> np.ndarray:
        shape, dtype = self._spec.shape, self._spec.dtype.name
        if len(shape) == 2 and dtype == "uint8":
            shape = (*shape, 1)
        if len(shape) != 3 or dtype not in ("uint8", "uint16"):
            raise ValueError(
                "`examples` must be arrays: the encoder takes no files of pictures, "
                f"but {dtype} examples of shape {shape}. Received: a picture"
            )
        if None in shape[:2]:
            size, channels = photograph_form(self._encoder)
            picture = read_photograph(source, size=size, channels=channels)
        else:
            grey: Literal[1, 3] = 1 if shape[2] == 1 else 3
            picture = read_picture(
                source, size=(shape[0], shape[1]), channels=grey, dtype=dtype
            )
        if self._invert:
            invert_pictures(picture, out=picture)
        return picture.reshape(picture.shape[: len(self._spec.shape)])


def _by_shape(arrays: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Arrays of one shape and dtype together, and their places."""
    groups: dict[tuple, list[int]] = {}
    for place, array in enumerate(arrays):
        groups.setdefault((array.shape, array.dtype), []).append(place)
    return [
        (np.array(places), np.stack([arrays[p] for p in places]))
        for places in groups.values()
    ]
