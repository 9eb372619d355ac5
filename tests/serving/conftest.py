"""What is served in these tests, made once."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served_models import Made


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """What is served; nobody may change it."""
    return Made(tmp_path_factory.mktemp("served"))


@pytest.fixture
def points(made, tmp_path):
    """A gallery of points that a test may change."""
    return Path(shutil.copytree(made / "points", tmp_path / "points"))
