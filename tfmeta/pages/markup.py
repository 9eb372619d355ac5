"""HTML as a tree of elements, in which text is text whatever it holds."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from tfmeta.printable import one_line

Element = ElementTree.Element
# `None` is left out.
Content = str | Element | None

# Nothing is loaded and nothing runs, whatever might get past the tree.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)


def element(
    tag: str,
    *content: Content | Iterable[Content],
    **attributes: str | float | None,
) -> Element:
    """An element with what is in it.

    Control characters, and those that turn the direction of writing, become escapes.

    Args:
        tag: Its name.
        *content: Text and elements, in order. An element has one place in a tree.
        **attributes: Its attributes, without those that are `None`. Underscores
            stand for dashes, and one at the end is dropped: `class_`.

    Example:

    ```python
    element("p", "Is it a ", element("bdi", "<b>cat</b>"), "?", class_="question")
    ```
    """
    made = ElementTree.Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): _text(str(value))
            for name, value in attributes.items()
            if value is not None
        },
    )
    last: Element | None = None
    for part in _flat(content):
        if not isinstance(part, str):
            made.append(part)
            last = part
        elif last is None:
            made.text = (made.text or "") + _text(part)
        else:
            last.tail = (last.tail or "") + _text(part)
    return made


def named(text: str, *, most: int = 200) -> Element:
    """A name or a text of somebody else, which may be written from right to left.

    Args:
        text: The text.
        most: The most characters shown; all of it is in the title.
    """
    shown = one_line(text)
    if len(shown) <= most:
        return element("bdi", shown)
    # Names often differ in their ends.
    half = most // 2
    return element("bdi", f"{shown[:half]}…{shown[-half:]}", title=shown[:2000])


def page(title: str, style: str, *content: Content | Iterable[Content]) -> str:
    """A whole HTML page, which loads nothing.

    Args:
        title: Its title.
        style: CSS, of this package: no text of others.
        *content: What is in its body.
    """
    sheet = ElementTree.Element("style")
    sheet.text = style
    head = element(
        "head",
        element("meta", charset="utf-8"),
        ElementTree.Element(
            "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        sheet,
    )
    whole = element("html", head, element("body", *content), lang="en")
    text = ElementTree.tostring(whole, encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{text}\n"


def _text(text: str) -> str:
    # Pictures are long, and nothing is to be escaped in them.
    return text if text.isascii() and text.isprintable() else one_line(text)


def _flat(content: Iterable[Content | Iterable[Content]]) -> Iterable[str | Element]:
    for part in content:
        # An element is a sequence of its own.
        if isinstance(part, str | Element):
            yield part
        elif part is not None:
            yield from _flat(part)
