"""Fixtures that several test modules share, and how the suite is run."""

import functools
import gc
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hypothesis
import pytest
from filelock import FileLock
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from tfmeta.datasets import ClassTable

REPOSITORY = Path(__file__).resolve().parent.parent

# Lets tests share the modules beside this one, in every import mode of pytest.
sys.path.insert(0, str(Path(__file__).parent))

# A deadline would measure how busy the machine is: tests share it.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

# Traced functions are many small objects, few of them garbage.
gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Two worker processes for whole folders, unless the command says otherwise.

    Files that are named run in this process, which shows what they print and
    which a debugger can stop. Here and not in `addopts`, so that `-p no:xdist`
    stays possible.
    """
    option = config.option
    if (
        not hasattr(config, "workerinput")
        and getattr(option, "numprocesses", 0) is None
        and option.dist == "no"
        and (option.markexpr in ("slow", "exhaustive") or "not slow" in option.markexpr)
        and option.capture != "no"
        and not option.usepdb
        and not any(".py" in argument for argument in config.args)
    ):
        option.numprocesses, option.dist = 2, "worksteal"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes go by the name of their argument: some hold the time of their making.

    All worker processes must find tests of the same names.
    """
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole programs first: what takes minutes must not start when all else is done.

    Every test is of one suite: what is exhaustive of a slow test is not slow besides.
    """
    for item in items:
        if item.get_closest_marker("exhaustive"):
            item.own_markers[:] = [m for m in item.own_markers if m.name != "slow"]
    programs = ("test_tutorials.py", "test_readme.py")
    items.sort(key=lambda item: item.path.name not in programs)


def pytest_collection_finish() -> None:
    """Spares all later garbage collections what is imported by now.

    These are 400,000 objects, and Keras' `clear_session` alone collects each time.
    """
    gc.collect()
    gc.freeze()


THREAD_COUNTS = ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")


@pytest.fixture(autouse=True)
def thread_counts_stay() -> Iterator[None]:
    """Takes back what a command sets for its process, which here is that of all tests.

    A checkpoint keeps these variables and tells where they differ.
    """
    before = {name: os.environ.get(name) for name in THREAD_COUNTS}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test run that all its worker processes share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


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
def omniglot_dir(reference_data: Path, shared_folder: Path) -> Path:
    """A data folder with Omniglot imported; takes a minute the first time.

    With TFMETA_TEST_CACHE set it stays in that folder from one run to the next.
    """
    from tfmeta.datasets.omniglot.importing import import_omniglot
    from tfmeta.datasets.omniglot.pictures import size_path

    cache = os.environ.get("TFMETA_TEST_CACHE")
    folder = Path(cache) if cache else shared_folder / "omniglot"
    with FileLock(shared_folder / "omniglot.lock"):
        if not size_path(folder).exists():
            import_omniglot(reference_data / "omniglot", folder)
    return folder


@pytest.fixture(scope="session")
def lake_dir(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with nothing but the pictures of Lake's one-shot test."""
    from tfmeta.datasets.omniglot.lake_runs import write_runs
    from tfmeta.datasets.omniglot.runs_archive import RUNS_ARCHIVE, read_runs_archive

    folder = tmp_path_factory.mktemp("lake")
    write_runs(*read_runs_archive(reference_data / "omniglot" / RUNS_ARCHIVE), folder)
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
    shared_folder: Path,
) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder of a tiny training on glyphs, and the process that made it."""
    folder, log = shared_folder / "runs" / "glyphs", shared_folder / "glyphs.json"
    with FileLock(shared_folder / "glyphs.lock"):
        if not log.exists():
            done = run_tfmeta("train", "--run", folder, *tiny_options)
            assert done.returncode == 0, done.stderr
            log.write_text(json.dumps(vars(done)), encoding="utf-8")
    return folder, subprocess.CompletedProcess(**json.loads(log.read_text("utf-8")))


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


@pytest.fixture(scope="session")
def glyphs() -> "ClassTable":
    """The test split of glyphs."""
    from tfmeta.datasets import load

    return load("glyphs", split="test")


@pytest.fixture(scope="session")
def draw_glyphs_once() -> Callable[..., "ClassTable"]:
    """Draws a table of glyphs the first time only; nobody may write into it."""
    from tfmeta.datasets.glyphs.load import load_glyphs

    @functools.cache
    @functools.wraps(load_glyphs)
    def draw_once(split: str, **options: int) -> "ClassTable":
        table = load_glyphs(split, **options)
        table.examples.flags.writeable = False
        return table

    return draw_once


@pytest.fixture
def glyphs_drawn_once(
    draw_glyphs_once: Callable[..., "ClassTable"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spares the seconds that drawing takes where it is not what is tested."""
    monkeypatch.setattr("tfmeta.datasets.glyphs.load.load_glyphs", draw_glyphs_once)


@pytest.fixture
def task_folders(glyphs: "ClassTable", tmp_path: Path) -> Path:
    """A task of test glyphs: `support`, 5 classes of 3, and `query`, 10 pictures.

    The queries are named after their class.
    """
    for number, class_id in enumerate((3, 40, 77, 150, 200)):
        drawings = glyphs.examples_of(class_id)[..., 0]
        support = tmp_path / "task" / "support" / f"class{number}"
        query = tmp_path / "task" / "query"
        for folder, chosen in ((support, (0, 1, 2)), (query, (10, 11))):
            folder.mkdir(parents=True, exist_ok=True)
            for index in chosen:
                name = f"class{number}-{index}.png"
                Image.fromarray(drawings[index]).save(folder / name)
    return tmp_path / "task"


@pytest.fixture
def dark_on_light(task_folders: Path, tmp_path: Path) -> Path:
    """The same task as it would be scanned: dark ink on light ground."""
    for path in task_folders.rglob("*.png"):
        target = tmp_path / "scanned" / path.relative_to(task_folders)
        target.parent.mkdir(parents=True, exist_ok=True)
        ImageOps.invert(Image.open(path)).save(target)
    return tmp_path / "scanned"
