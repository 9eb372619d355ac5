"""Fixtures that several test modules share."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of reference data beside the checkout; skips without it."""
    folder = Path(
        os.environ.get("TFMETA_REFERENCE_DATA", REPOSITORY.parent / "shared" / "data")
    )
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}; set TFMETA_REFERENCE_DATA")
    return folder


@pytest.fixture(scope="session")
def omniglot_dir(
    reference_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A data folder with Omniglot imported; takes a minute the first time.

    With TFMETA_TEST_CACHE set it stays in that folder from one run to the next.
    """
    from tfmeta.datasets.omniglot_import import import_omniglot
    from tfmeta.datasets.omniglot_pack import packed_path

    cache = os.environ.get("TFMETA_TEST_CACHE")
    folder = Path(cache) if cache else tmp_path_factory.mktemp("omniglot")
    if not packed_path(folder).exists():
        import_omniglot(reference_data / "omniglot", folder)
    return folder
