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
