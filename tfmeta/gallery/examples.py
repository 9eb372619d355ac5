"""What is enrolled and asked: pictures, texts or arrays, as an encoder takes them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from tfmeta.classifying.photographs import photograph_form
from tfmeta.datasets.reading.ground import invert_pictures
from tfmeta.datasets.reading.photographs import read_photograph
from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.features.encoding import in_one_graph
from tfmeta.finite_checks import count_not_finite
from tfmeta.gallery.records import Original, OriginalFile
from tfmeta.printable import one_line, printable
from tfmeta.signatures.example_spec import ExampleSpec

# A file of a picture, its content, a text, or an array as the encoder takes it.
Example: TypeAlias = Path | bytes | str | np.ndarray
# Of one class, or queries: an array has them along its first axis.
Examples: TypeAlias = Sequence[Example] | np.ndarray

# Pictures at once, and others: networks for pictures take some ten megabytes for each.
_PICTURES, _OTHERS = 32, 256


def check_examples(name: str, examples: Any) -> None:
    """Refuses one example in place of a sequence, which a text is itself.

    Args:
        name: What they are called.
        examples: Those that were given.

    Raises:
        TypeError: When it is one example, or nothing that has a length and parts.
    """
    one = isinstance(examples, str | bytes | Path)
    if one or not (hasattr(examples, "__len__") and hasattr(examples, "__getitem__")):
        raise TypeError(
            f"{name} must be a sequence of examples: files (pathlib.Path) or contents "
            "(bytes) of pictures, texts, or arrays. Received: "
            + (f"one {type(examples).__name__}" if one else f"{examples!r:.80}")
        )


def check_name(name: Any, argument: str) -> None:
    """Refuses what cannot be the name of a class.

    Raises:
        TypeError: When it is no text.
        ValueError: When nothing of it is to be seen, or UTF-8 does not hold it.
    """
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a text. Received: {name!r:.80}")
    if not name.strip() or "\0" in name or re.search("[\ud800-\udfff]", name):
        raise ValueError(
            f"{argument} must be a text of characters that UTF-8 holds, at least one. "
            f"Received: {printable(name)!r:.80}"
        )


def check_classes(classes: Any) -> None:
    """Refuses what are no examples by class.

    Raises:
        TypeError: When it is no mapping of sequences by texts.
        ValueError: When a class has no example, or no name.
    """
    if not isinstance(classes, Mapping):
        raise TypeError(
            "`classes` must be a dict of examples by the name of their class. "
            f"Received: {type(classes).__name__}"
        )
    for name, examples in classes.items():
        check_name(name, "names of `classes`")
        check_examples(f"examples of class {one_line(name)!r}", examples)
        if not len(examples):
            raise ValueError(
                "`classes` must hold at least one example of each class. Received: "
                f"none of {one_line(name)!r}"
            )


def original_of(example: Example) -> Original | OriginalFile:
    """What an example is made of, in bytes.

    Raises:
        OSError: When a file cannot be read.
    """
    if isinstance(example, Path):
        return OriginalFile.of(example)
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


def check_finite_embeddings(embeddings: np.ndarray) -> None:
    """Checks that every example has an embedding.

    Args:
        embeddings: Float32 `(examples, *embedding)`.

    Raises:
        ValueError: When some are NaN or infinite; counts the examples.
    """
    wrong = sum(count_not_finite(one) > 0 for one in embeddings)
    if wrong:
        raise ValueError(
            "`examples` must be finite, and so large at most that their embeddings "
            f"are. Received: {wrong} of {len(embeddings)} without a finite embedding"
        )


class ExampleEncoder:
    """Embeds examples of any kind that an encoder takes, by one graph.

    Args:
        learner: Whose encoder it is.
        invert: Whether pictures from files are turned from dark on light into light on
            dark, or the other way round.
        input_dtype: Dtype of the examples; `None` for what the encoder is served with.
    """

    def __init__(
        self, learner: Any, *, invert: bool = False, input_dtype: str | None = None
    ) -> None:
        self._encoder = learner.encoder
        self._spec = learner.example_spec(input_dtype)
        self._invert = invert
        self._apply = in_one_graph(learner.encoder)

    @property
    def spec(self) -> ExampleSpec:
        """What an example is: its shape, and its dtype."""
        return self._spec

    @property
    def embedding_shape(self) -> tuple[int, ...]:
        """Shape of an embedding."""
        return tuple(self._encoder.output_shape[1:])

    @property
    def takes_texts(self) -> bool:
        """Whether examples are texts."""
        return self._spec.dtype == "string"

    def embed(
        self,
        examples: Examples,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Float32 `(examples, *embedding)`.

        Args:
            examples: Of one shape or of many.
            on_progress: Called with the number of examples embedded, and of all.

        Raises:
            TypeError: When they are no sequence.
            ValueError: When an example is of a kind or shape that the encoder does not
                take, a picture cannot be read, or an embedding is not finite.
            OSError: When a file cannot be read.
        """
        check_examples("`examples`", examples)
        out = np.empty((len(examples), *self.embedding_shape), np.float32)
        at_once = _PICTURES if len(self._spec.shape) == 3 else _OTHERS
        for start in range(0, len(examples), at_once):
            part = examples[start : start + at_once]
            for places, batch in _by_shape([self.read(one) for one in part]):
                out[start + places] = self.embed_read(batch)
            if on_progress is not None:
                on_progress(start + len(part), len(examples))
        check_finite_embeddings(out)
        return out

    def embed_read(self, batch: np.ndarray) -> np.ndarray:
        """Embeds what `read` gave, at once and unchecked.

        For those who join examples of several callers, of whom one must not fail for
        another: each checks his own by `check_finite_embeddings`.

        Args:
            batch: `(batch, *example)`, of one shape and dtype.

        Returns:
            Float32 `(batch, *embedding)`, NaN for what is not finite.
        """
        return self._apply(batch).numpy()

    def read(self, example: Example) -> np.ndarray:
        """An example as the encoder takes it.

        Raises:
            ValueError, OSError: As `embed`.
        """
        if isinstance(example, Path | bytes):
            return self._picture(example)
        array = np.asarray(example, object if isinstance(example, str) else None)
        wanted = self._spec.shape
        fits = len(array.shape) == len(wanted) and all(
            w in (None, g) for g, w in zip(array.shape, wanted, strict=True)
        )
        if not fits or not self._takes(array.dtype):
            raise ValueError(
                "`examples` must be as the encoder takes them, "
                f"{self._spec.dtype.name} of shape {wanted}. Received: "
                + (
                    "a text; a file is a pathlib.Path"
                    if isinstance(example, str)
                    else f"{array.dtype.name} of shape {array.shape}"
                )
            )
        return array

    def _takes(self, dtype: np.dtype) -> bool:
        """Whether numbers of a dtype are what the encoder would take them for."""
        wanted = self._spec.dtype
        if wanted == "string":
            return dtype.kind == "O"
        if self._spec.value_range is not None:
            # Pixels of 16 bits are no pixels of 8.
            floats = self._spec.float_too and dtype.kind == "f"
            return floats or dtype.name == wanted.name
        return dtype.kind in ("biuf" if wanted.is_floating else "biu")

    def _picture(self, source: Path | bytes) -> np.ndarray:
        shape, dtype = self._spec.shape, self._spec.dtype.name
        if len(shape) == 2 and dtype == "uint8":
            shape = (*shape, 1)
        if len(shape) != 3 or dtype not in ("uint8", "uint16"):
            raise ValueError(
                "`examples` must be as the encoder takes them, "
                f"{dtype} of shape {shape}. Received: a picture, "
                + (str(source) if isinstance(source, Path) else "as its bytes")
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
