"""Folders and data sets that the tests here share."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

# Lets the tests import `tiny_tfds`, in every import mode of pytest.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModuleType]:
    """A data folder with tiny TFDS data sets prepared, and their module."""
    import tiny_tfds

    folder = tmp_path_factory.mktemp("tfds")
    for kind in vars(tiny_tfds).values():
        if isinstance(kind, type) and kind.__name__.startswith("Tiny"):
            kind(data_dir=folder).download_and_prepare()
    return folder, tiny_tfds
