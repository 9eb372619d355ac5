"""Words of a model card: what others wrote is no markup in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tfmeta.printable import markdown_text, one_line, short_name

_MOST_NAMED = 3
# Of what somebody wrote about their model.
_MOST_LETTERS = 300


def kind_of(example: Mapping[str, Any]) -> str:
    """What examples are, by shape and dtype: texts, pictures or arrays."""
    if example["dtype"] == "string":
        return "texts"
    channels = example["shape"][-1] if len(example["shape"]) == 3 else 0
    return "pictures" if channels in (None, 1, 3, 4) else "arrays"


def example_in_words(example: Mapping[str, Any]) -> str:
    """What one example looks like."""
    kind = kind_of(example)
    if kind == "texts":
        return "a text in UTF-8"
    size = size_in_words(example["shape"])
    named = (
        f"a picture (height, width, channels) of {size}" if kind == "pictures" else ""
    )
    values = example["value_range"]
    within = "" if values is None else f", values from {values[0]} to {values[1]}"
    return f"{named or f'an array of shape {size}'}, {example['dtype']}{within}"


def tensor_in_words(spec: Mapping[str, Any]) -> str:
    """Dtype and shape; `n` for a free size."""
    sizes = ", ".join("n" if size is None else str(size) for size in spec["shape"])
    return f"{spec['dtype']} ({sizes})"


def size_in_words(shape: list[int | None]) -> str:
    """A shape, e.g. "28 × 28 × 1"."""
    return " × ".join("any" if size is None else str(size) for size in shape) or "()"


def first_names(names: list[str], data: str) -> str:
    """The first of the names, without that of the data that each begins with."""
    some = [name.removeprefix(f"{data}/") for name in names[:_MOST_NAMED]]
    more = ", …" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(short_text, some)) + more


def short_text(name: str) -> str:
    """A name, without its middle where it is long."""
    return markdown_text(short_name(name, 60))


def free_text(text: str) -> str:
    """What somebody wrote, without its end where it is long."""
    text = " ".join(text.split())
    if len(text) > _MOST_LETTERS:
        text = f"{text[: _MOST_LETTERS - 1]}…"
    return markdown_text(text).removesuffix(".")


def as_code(name: str) -> str:
    """A name as code; one that is no plain word as text."""
    return f"`{name}`" if re.fullmatch(r"[\w./-]+", name) else markdown_text(name)


def fenced(line: str, language: str = "sh") -> str:
    """A line in which nothing is markup, backticks neither."""
    line, fence = one_line(line), "```"
    while fence in line:
        fence += "`"
    return f"{fence}{language}\n{line}\n{fence}"


def joined(section: Iterator[str]) -> list[str]:
    """Paragraphs, with the lines of a list together."""
    blocks: list[str] = []
    for part in section:
        if part.startswith("- ") and blocks and blocks[-1].startswith("- "):
            blocks[-1] += f"\n{part}"
        else:
            blocks.append(part)
    return blocks
