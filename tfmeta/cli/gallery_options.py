"""What commands of a gallery take: its folder, and names of its classes."""

from __future__ import annotations

import unicodedata
from typing import Any

import click

from tfmeta.cli.options import AnyPath, Word
from tfmeta.gallery.tables import DATABASE, is_gallery


class GalleryFolder(AnyPath):
    """The folder of a gallery.

    Args:
        new: Whether nothing may be there, where one is to be made.
    """

    def __init__(self, *, new: bool = False) -> None:
        super().__init__(made=new, exists=not new, file_okay=False, writable=new)
        self._new = new

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """The path."""
        path = super().convert(value, param, ctx)
        if is_gallery(path) or (self._new and not path.exists()):
            return path
        received = "a folder without " + DATABASE
        if (path / "config.json").is_file():
            received = "the folder of a run"
        elif (path / "saved_model.pb").is_file():
            received = "that of a SavedModel"
        wanted = ", or a path where nothing is" if self._new else ""
        return self.fail(
            "must be the folder of a gallery, as `tfmeta gallery enrol` makes it"
            f"{wanted}. Received: {path}, {received}",
            param,
            ctx,
        )


class ClassName(Word):
    """The name of a class."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The name in Unicode's composed form, as those of folders are."""
        word = super().convert(value, param, ctx)
        try:
            word.encode()
        except UnicodeEncodeError:
            self.fail(f"must be valid text. Received: {word!r}", param, ctx)
        return unicodedata.normalize("NFC", word)


GALLERY = click.argument("gallery", metavar="GALLERY", type=GalleryFolder())
CLASS_NAME = ClassName()
