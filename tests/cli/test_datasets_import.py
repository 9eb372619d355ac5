import os
import sys
from pathlib import Path

import pytest

from tfmeta.datasets import load
from tfmeta.datasets.registry import DATASETS, importable

# One file that each data set must have, by its right name.
FILES = {
    "omniglot": "images_background.zip",
    "mini_imagenet": "mini-imagenet-cache-train.pkl",
    "tiered_imagenet": "train_images_png.pkl",
    "cifar_fs": "cifar-100-binary.tar.gz",
    "fc100": "cifar-100-binary.tar.gz",
    "clinc150": "data_full.json",
    "banking77": "train.csv",
    "tox21": "tox21.csv",
    "sider": "sider.csv",
}
# Files that must be there before the first one is looked into.
BESIDE = {
    "omniglot": ("images_evaluation.zip",),
    "mini_imagenet": ("mini-imagenet-cache-val.pkl", "mini-imagenet-cache-test.pkl"),
    "tiered_imagenet": (
        "train_labels.pkl",
        *(
            f"{s}_{what}.pkl"
            for s in ("val", "test")
            for what in ("images_png", "label")
        ),
    ),
    "banking77": ("test.csv",),
}


@pytest.fixture
def import_it(call, tmp_path):
    def import_it(name, *options):
        return call(
            *("datasets", "import", name, "--from", tmp_path / "source"),
            *("--data-dir", tmp_path / "data", *options),
        )

    return import_it


@pytest.mark.parametrize("name", importable())
def test_an_empty_folder(import_it, tmp_path, name):
    (tmp_path / "source").mkdir()
    done = import_it(name)
    assert str(tmp_path / "source") in done.error
    assert FILES[name] in done.error
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", importable())
def test_no_folder(import_it, tmp_path, name):
    done = import_it(name)
    assert f"'--from': Path '{tmp_path / 'source'}' does not" in done.usage_error
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("content", [b"", b"\x00", b"rubbish\n" * 99, b"\x80\x04\x95"])
@pytest.mark.parametrize("name", importable())
def test_rubbish_under_the_right_name(import_it, tmp_path, name, content):
    for file in (FILES[name], *BESIDE.get(name, ())):
        path = tmp_path / "source" / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    done = import_it(name)
    assert str(tmp_path / "source") in done.error
    assert "Received: " in done.error
    assert not list(tmp_path.glob("data/tables/*"))
    assert not list(tmp_path.glob("data/packed/*"))


def test_an_import_by_the_command_is_loaded(import_it, reference_data, tmp_path):
    (tmp_path / "source").symlink_to(reference_data / "text" / "banking77")
    done = import_it("banking77")
    assert (done.code, done.err) == (0, "")
    table = load("banking77", split="test", data_dir=tmp_path / "data")
    assert table.name == "banking77"
    again = import_it("banking77")
    assert again.code == 0
    assert "already held banking77" in again.out


def test_options_that_a_data_set_does_not_have(import_it, tmp_path):
    (tmp_path / "source").mkdir()
    assert (
        "`--partial` must be left out for sider"
        in import_it("sider", "--partial").error
    )
    done = import_it("tiered_imagenet", "--partial")
    assert "tieredImageNet" in done.error and "`--partial`" not in done.error


def test_help_says_what_each_needs(call):
    done = call("datasets", "import", "--help")
    words = " ".join(done.out.split())
    for name in importable():
        assert f"{name}: {DATASETS[name].needs}." in words


WITH_TERMINAL = """
import sys
sys.path.insert(0, sys.argv[3])
from cifar100_archive import members, write_archive
from tfmeta.cli.main import main
from tfmeta.datasets.cifar100.archive import EACH
from pathlib import Path
EACH.update(train=1, test=1)
source = Path(sys.argv[1])
source.mkdir()
write_archive(source / "cifar-100-binary.tar.gz", members(EACH))
sys.argv = ["tfmeta", "datasets", "import", "fc100", "--from", sys.argv[1],
            "--data-dir", sys.argv[2]]
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_one_bar_and_nothing_else(tmp_path):
    """Nothing that is imported along the way writes a line or a bar of its own."""
    import pty

    helpers = Path(__file__).parent.parent / "datasets" / "cifar100"
    shown = bytearray()

    def read(descriptor):
        content = os.read(descriptor, 2**16)
        shown.extend(content)
        return content

    clean = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    program = [sys.executable, "-c", WITH_TERMINAL, tmp_path / "s", tmp_path / "d"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {**clean, "TERM": "xterm", "COLUMNS": "100"})
        status = pty.spawn([*map(str, program), str(helpers)], read)
    text = shown.decode()
    assert status == 0, text
    assert "importing fc100" in text
    assert "400/400" in text
    for unwanted in ("Downloading", "Dl Completed", "Generating", "it/s", "WARNING"):
        assert unwanted not in text
    assert "not the authors' file" in text
