"""Lets the builders of TensorFlow Datasets prepare from folders on this machine."""

from pathlib import Path
from typing import Any

import pytest


def prepare_from(
    folders: dict[str, Path], name: str, data_dir: Path, patch: pytest.MonkeyPatch
) -> Any:
    """Prepares a data set whose downloads are here already, unpacked.

    Args:
        folders: What a download unpacks to, by the last part of its address.
        name: Name of the builder.
        data_dir: Where it is prepared.
        patch: Undone by the caller, who may go on without a connection till then.

    Returns:
        The builder.
    """
    import tensorflow_datasets as tfds

    take_downloads_from(folders, patch)
    builder = tfds.builder(name, data_dir=data_dir)
    builder.download_and_prepare()
    return builder


def take_downloads_from(folders: dict[str, Path], patch: pytest.MonkeyPatch) -> None:
    """Answers each download by a folder."""
    import tensorflow_datasets as tfds

    def find(url: str) -> Path:
        return folders[url.rsplit("/", 1)[-1]]

    def download_and_extract(self: Any, urls: Any) -> Any:
        if isinstance(urls, str):
            return find(urls)
        return {key: find(url) for key, url in urls.items()}

    manager = tfds.download.DownloadManager
    patch.setattr(manager, "download_and_extract", download_and_extract)
