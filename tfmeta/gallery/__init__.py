"""Classes enrolled from a few examples, kept in a folder, undone and exported."""

from typing import Any

from tfmeta.gallery.records import Change, StoredExample
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import is_gallery
from tfmeta.submodules import on_demand

__all__ = ["Change", "Gallery", "GalleryStore", "StoredExample", "is_gallery"]

_submodule = on_demand(__name__)


def __getattr__(name: str) -> Any:
    # What is on disk is listed without TensorFlow.
    if name == "Gallery":
        from tfmeta.gallery.gallery import Gallery

        return Gallery
    return _submodule(name)
