"""A data set is added by its folder and one line of the list."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tfmeta

RECORD = '''
"""The record of a toy."""

from tfmeta.datasets.dataset import Dataset

TOY = Dataset(
    name="toy",
    description="ten classes of numbers",
    loader="tfmeta.datasets.toy.numbers:load_toy",
    importer="tfmeta.datasets.toy.numbers:import_toy",
    needs="toy.csv with the columns class and number",
    training={"ways": 3, "epochs": 2, "augment": False},
)
'''
FUNCTIONS = '''
"""Ten classes of numbers, from a CSV file."""

from pathlib import Path

import numpy as np

from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.import_report import ImportReport
from tfmeta.datasets.reading.text_files import read_csv
from tfmeta.datasets.splits import check_split
from tfmeta.datasets.storage.table_folder import TableLayout, open_table, write_table
from tfmeta.datasets.toy.dataset import TOY

CLASSES = {"train": range(0, 4), "validation": range(4, 7), "test": range(7, 10)}


def load_toy(split="train", *, data_dir=None, scale=1):
    check_split("toy", split, tuple(CLASSES))
    path = table_path(data_dir, "toy")
    if not path.is_dir():
        raise TOY.missing(data_dir)
    return open_table(path).take_classes(CLASSES[split])


def import_toy(source, data_dir=None, *, on_progress=None):
    rows = [row for _, row in read_csv(Path(source), "toy.csv", ("class", "number"))]
    names = tuple(sorted({name for name, _ in rows}))
    layout = TableLayout("toy", names, (5,) * 10, (1,), "float32", group_level="all")
    items = (
        (row, lambda value=value: np.float32([value]))
        for row, (_, value) in enumerate(sorted(rows))
    )
    path = table_path(data_dir, "toy")
    write_table(path, layout, items, on_progress=on_progress)
    return ImportReport((path,), notes=("Numbers are not rounded.",))
'''
LINE = '    "tfmeta.datasets.toy.dataset:TOY",\n'

# All in one process, as starting one takes longer than what is tested.
PROGRAM = """
import sys
from tfmeta.cli.main import tfmeta
from tfmeta.datasets import load
from tfmeta.datasets.registry import import_dataset

source, data_dir = sys.argv[1:]

def call(*words):
    print("$", *words[:2], flush=True)
    tfmeta([*words], prog_name="tfmeta", standalone_mode=False)

def error(what, *arguments, **options):
    try:
        what(*arguments, **options)
    except (ValueError, OSError) as caught:
        print(f"error: {caught}")

call("datasets", "list")
call("datasets", "import", "--help")
error(load, "toy", data_dir=data_dir)
error(import_dataset, "toy", source, data_dir=data_dir, partial=True)
error(load, "nothing")
call("datasets", "import", "toy", "--from", source, "--data-dir", data_dir)
call("datasets", "describe", "toy", "--data-dir", data_dir)
print(load("toy", split="test", data_dir=data_dir).examples[:2].tolist())
error(load, "toy", split="dev", data_dir=data_dir)
error(load, "toy", rotations=True, data_dir=data_dir)
print([m for m in ("tensorflow", "keras") if m in sys.modules])
from tfmeta.runs.defaults import default_config
config = default_config("toy", {"epochs": 1})
print(config.dataset, config.test.ways, config.epochs, config.test.shots)
error(default_config, "nothing", {})
"""


@pytest.fixture
def package(tmp_path):
    """The package with a data set more: its folder, and a line of the list."""
    copy = tmp_path / "site" / "tfmeta"
    shutil.copytree(
        Path(tfmeta.__file__).parent,
        copy,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    folder = copy / "datasets" / "toy"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A toy."""\n')
    (folder / "dataset.py").write_text(RECORD)
    (folder / "numbers.py").write_text(FUNCTIONS)
    registry = copy / "datasets" / "registry.py"
    text = registry.read_text("utf-8")
    last = '    "tfmeta.datasets.molecules.dataset:SIDER",\n'
    assert text.count(last) == 1
    registry.write_text(text.replace(last, last + LINE), "utf-8")
    return copy.parent


def test_a_toy_is_known_everywhere(package, tmp_path):
    lines = [f"class{c},{c + n / 8}" for c in range(10) for n in range(5)]
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "toy.csv").write_text("class,number\n" + "\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "source", tmp_path / "data"],
        env={**os.environ, "PYTHONPATH": str(package)},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "toy              ten classes of numbers\n" in said
    assert "toy: toy.csv with the columns class and number." in " ".join(said.split())
    assert (
        f"error: toy is not in {tmp_path / 'data'}. It comes from toy.csv with the "
        "columns class and number. Put that into a folder and type `tfmeta datasets "
        "import toy --from DIR`. Received:"
    ) in said
    assert "error: `partial` must be left out for toy, which has no such opt" in said
    assert "error: `name` must be one of ['glyphs'" in said and "'toy']" in said
    assert "Numbers are not rounded.\ntoy is ready; next: tfmeta datasets" in said
    for split, classes in (("train", 4), ("validation", 3), ("test", 3)):
        assert f"{split:10} {classes} classes, 5 examples each, 1 float32\n" in said
    assert "[[7.0], [7.125]]\n" in said
    assert (
        "error: `split` of toy must be one of ['train', 'validation', 'test']" in said
    )
    assert "error: `rotations` is no option of data set 'toy', which takes `sc" in said
    # Nothing of it needs TensorFlow but training.
    assert "\n[]\ntoy 3 1 1\n" in said
    assert "error: `dataset` must be one of glyphs" in said and "sider, toy," in said
