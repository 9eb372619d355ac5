"""The authors' files of the text data sets, imported once."""

import pytest

from tfmeta.datasets.registry import import_dataset


@pytest.fixture(scope="session")
def text_dir(reference_data, tmp_path_factory):
    """A data folder with CLINC150 and BANKING77."""
    folder = tmp_path_factory.mktemp("text")
    for name in ("clinc150", "banking77"):
        import_dataset(name, reference_data / "text" / name, data_dir=folder)
    return folder
