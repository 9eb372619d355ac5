"""Which examples a model takes, and how they are sent."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from tfmeta.datasets.reading.pictures import picture_kind
from tfmeta.serving.deadline import check_deadline
from tfmeta.serving.limits import MOST_CHARACTERS, Limits
from tfmeta.serving.nested_lists import as_numbers, flattened
from tfmeta.serving.refusals import Refusal, refused

Kind: TypeAlias = Literal["picture", "text", "array"]
# The content of a picture file, a text, or an array as the model takes it.
Example: TypeAlias = bytes | str | np.ndarray


@dataclasses.dataclass(frozen=True)
class ExampleForm:
    """What one example is.

    Attributes:
        shape: Without the batch; `None` for a free size.
        dtype: Of TensorFlow, `"string"` for texts.
        floats: Whether floats in the range of an integer dtype are taken as well.
    """

    shape: tuple[int | None, ...]
    dtype: str
    floats: bool = False

    @property
    def kind(self) -> Kind:
        """What it is for people."""
        if self.dtype == "string":
            return "text"
        grey = len(self.shape) == 2 and self.dtype == "uint8"
        pixels = len(self.shape) == 3 and self.dtype in ("uint8", "uint16")
        return "picture" if grey or pixels else "array"

    @property
    def in_words(self) -> str:
        """How it is sent."""
        numbers = f"{self.dtype} of shape {list(self.shape)}".replace("None", "any")
        return {
            "text": "a text",
            "picture": f'{{"b64": a picture file in base64}} or pixels, {numbers}',
            "array": f"numbers, {numbers}",
        }[self.kind]

    def to_json(self) -> dict[str, Any]:
        """The form for clients."""
        return {"kind": self.kind, "shape": list(self.shape), "dtype": self.dtype}

    def read_all(
        self, values: Sequence[Any], what: str, limits: Limits
    ) -> list[Example]:
        """The examples of a request.

        Args:
            values: As JSON holds them; bytes are contents of picture files.
            what: What they are called in messages.
            limits: What is allowed of each.

        Raises:
            Refusal: 422, when one is of another form, or a picture has too many
                pixels.
        """
        found = []
        for number, value in enumerate(values):
            found.append(self.read(value, f"`{what}[{number}]`", limits))
            check_deadline()
        return found

    def read(self, value: Any, what: str, limits: Limits) -> Example:
        """One example; as `read_all`."""
        if isinstance(value, dict):
            value = _decoded(value, what)
        if isinstance(value, bytes) and self.kind == "picture":
            _check_pixels(value, what, limits.pixels)
            return value
        if isinstance(value, str) and self.kind == "text":
            return _checked_text(value, what)
        if isinstance(value, bytes | str) or self.kind == "text":
            raise refused(
                f"{what} must be {self.in_words}. Received: {_kind_of(value)}"
            )
        try:
            return self._array(value, what)
        except ValueError as error:
            raise refused(str(error)) from error

    def _array(self, value: Any, what: str) -> np.ndarray:
        values, shape = flattened(value, what)
        if len(shape) == len(self.shape) - 1 and self.shape[-1] == 1:
            shape = (*shape, 1)  # Grey, without the axis of its one channel.
        fits = len(shape) == len(self.shape) and all(
            found == size or (size is None and found)
            for size, found in zip(self.shape, shape, strict=True)
        )
        if not fits:
            raise refused(
                f"{what} must be {self.in_words}. Received: "
                + (f"shape {list(shape)}" if shape else _kind_of(value))
            )
        dtype = np.dtype(self.dtype if self.dtype != "bfloat16" else "float32")
        if self.floats and float in set(map(type, values)):
            dtype = np.dtype("float32")
        return as_numbers(values, dtype, what).reshape(shape)


def _decoded(value: dict[str, Any], what: str) -> bytes:
    if set(value) != {"b64"}:
        raise refused(
            f'{what} must hold a file as {{"b64": its content in base64}}. Received: '
            f"a mapping of {', '.join(map(repr, list(value)[:5])) or 'nothing'}"[:200]
        )
    if not isinstance(value["b64"], str):
        raise refused(
            f"`b64` of {what} must be a text, base64 (RFC 4648). Received: "
            f"{_kind_of(value['b64'])}"
        )
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused(
            f"`b64` of {what} must be base64 (RFC 4648). Received: other text ({error})"
        ) from error


def _check_pixels(content: bytes, what: str, most: int) -> None:
    try:
        kind = picture_kind(content)
    except ValueError as error:
        raise refused(f"{what}: {error}") from error
    if kind.height * kind.width > most:
        raise refused(
            f"{what} must be a picture of at most {most:,} pixels. Received: "
            f"{kind.width} x {kind.height}"
        )


def _checked_text(text: str, what: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise refused(
            f"{what} must have at most {MOST_CHARACTERS:,} characters. Received: "
            f"{len(text):,}"
        )
    return text


def _kind_of(value: Any) -> str:
    words: dict[type, str] = {
        **{bytes: "a file", str: "a text", list: "a list", bool: "true or false"},
        **{int: "a number", float: "a number", type(None): "null", dict: "a mapping"},
    }
    return words.get(type(value), type(value).__name__)


def check_count(number: int, limits: Limits) -> None:
    """Checks how many examples a request holds.

    Raises:
        Refusal: 422, when there are too many.
    """
    if number > limits.examples:
        raise Refusal(
            422,
            f"a request must hold at most {limits.examples:,} examples. Received: "
            f"{number:,}",
        )
