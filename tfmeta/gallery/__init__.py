"""Classes enrolled from a few examples, kept in a folder, undone and exported."""

from tfmeta.gallery.gallery import Gallery, is_gallery
from tfmeta.gallery.records import Change, StoredExample
from tfmeta.gallery.store import GalleryStore

__all__ = ["Change", "Gallery", "GalleryStore", "StoredExample", "is_gallery"]
