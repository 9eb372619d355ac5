"""Examples as a page shows them: a picture, a text, or the name of an array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfmeta.pages.markup import Content, Element, element, named
from tfmeta.pages.picture_data import PagePictures

_MOST_TEXT = 240
# Of a picture's longer side.
_PIXELS, _SHEET_PIXELS = 128, 96


class ShownExamples:
    """Examples of one kind.

    Args:
        kind: What they are, `"pictures"`, `"texts"` or `"arrays"`.
        names: What each is called.
        files: The file of each where they are pictures that are to be seen.
    """

    def __init__(
        self, kind: str, names: Sequence[str], files: Sequence[Path] | None
    ) -> None:
        self.kind = kind
        self._names = names
        self._pictures = None if files is None else PagePictures(files)

    @property
    def left_out(self) -> int:
        """Pictures that the page had no room for."""
        return 0 if self._pictures is None else self._pictures.left_out

    def card(
        self, row: int, *lines: Content, wrong: bool = False, sheet: bool = False
    ) -> Element:
        """An example with what is said of it.

        Args:
            row: Its number.
            *lines: A line each.
            wrong: Whether it is framed as one that was answered wrongly.
            sheet: Whether it is one of many, which are smaller.
        """
        name = self._names[row]
        picture = None
        if self._pictures is not None:
            pixels = _SHEET_PIXELS if sheet else _PIXELS
            picture = self._pictures.picture(row, pixels=pixels, description=name)
        shown: Element
        if picture is not None:
            shown = element("div", picture, class_="seen")
        elif self.kind == "texts":
            shown = element("blockquote", named(name, most=_MOST_TEXT), dir="auto")
        else:
            shown = element("div", class_="seen none")
        said = [element("div", line) for line in lines if line is not None]
        # On a sheet of many pictures their names would be most of what there is.
        if self.kind != "texts" and (picture is None or not sheet):
            said.append(element("div", named(name, most=60), class_="file"))
        return element(
            "figure",
            shown,
            element("figcaption", said) if said else None,
            class_="card wrong" if wrong else "card",
            title=name[:500] if sheet else None,
        )
