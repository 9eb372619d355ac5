"""Fixtures that several test modules share."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
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


@pytest.fixture(scope="session")
def run_tfmeta() -> Callable[..., subprocess.CompletedProcess]:
    """Runs the `tfmeta` command in a process of its own, as a user would."""
    # Without what this process has set for itself: neither TensorFlow's threads
    # nor its log level may hide what a user would see.
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "tfmeta.cli.main", *map(str, arguments)],
            env={**clean, **variables},
            capture_output=True,
            encoding="utf-8",
        )

    return run


@pytest.fixture(scope="session")
def tiny_options() -> tuple[str, ...]:
    """Options of `tfmeta train` that make it as short as it can be."""
    return (
        *("--seed", "3", "--epochs", "8", "--steps-per-epoch", "3"),
        *("--filters", "4", "--train-ways", "5", "--train-queries", "2"),
        *("--queries", "5", "--validation-episodes", "8", "--test-episodes", "600"),
    )


@pytest.fixture(scope="session")
def glyphs_training(
    run_tfmeta: Callable[..., subprocess.CompletedProcess],
    tiny_options: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder of a tiny training on glyphs, and the process that made it."""
    folder = tmp_path_factory.mktemp("runs") / "glyphs"
    done = run_tfmeta("train", "--run", folder, *tiny_options)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="session")
def glyphs_run(
    glyphs_training: tuple[Path, subprocess.CompletedProcess],
) -> Path:
    """The run folder of a tiny training on glyphs; `run_copy` is for changing."""
    return glyphs_training[0]


@pytest.fixture
def run_copy(glyphs_run: Path, tmp_path: Path) -> Path:
    """A copy of the run folder that a test may change."""
    return Path(shutil.copytree(glyphs_run, tmp_path / "copy"))


@pytest.fixture(scope="session")
def hash_tree() -> Callable[[Path], dict[str, str]]:
    """Relative path to digest of every file below a folder, folders as well."""

    def hash_tree(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else "folder"
            for path in sorted(folder.rglob("*"))
        }

    return hash_tree
