import importlib
import inspect
import subprocess
import sys

import pytest

from tfmeta.datasets import load
from tfmeta.datasets.import_report import ImportReport
from tfmeta.datasets.registry import DATASETS, import_dataset, importable


def test_everything_but_glyphs_can_be_imported():
    assert set(importable()) == set(DATASETS) - {"glyphs"}


@pytest.mark.parametrize("name", importable())
def test_the_functions_take_what_they_are_given(name):
    module, function = DATASETS[name].importer.split(":")
    import_it = getattr(importlib.import_module(module), function)
    assert import_it.__name__ == f"import_{name}"
    parameters = list(inspect.signature(import_it).parameters)
    assert parameters[:2] == ["source", "data_dir"]
    assert "on_progress" in parameters
    with pytest.raises(FileNotFoundError, match="nowhere"):
        import_dataset(name, "nowhere", data_dir="unused")


RESOLVE_ALL = """
from pkgutil import resolve_name
from tfmeta.datasets.registry import DATASETS
for record in DATASETS.values():
    for place in (record.loader, record.importer):
        place and resolve_name(place)
"""


@pytest.mark.parametrize(
    ("program", "heavy"),
    [
        ("import tfmeta.datasets.registry", ["tensorflow", "keras", "PIL"]),
        # Importing a data set needs no TensorFlow, nor does loading a table.
        (RESOLVE_ALL, ["tensorflow", "keras", "tensorflow_datasets"]),
    ],
)
def test_nothing_heavy_is_imported(program, heavy):
    program += f"\nimport sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.stdout.decode().strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("name", "folder", "examples"),
    [
        ("clinc150", "text/clinc150", 22_500),
        ("banking77", "text/banking77", 13_083),
        ("sider", "molecules", None),
    ],
)
def test_what_was_imported_is_loaded(reference_data, tmp_path, name, folder, examples):
    reports = []
    done = import_dataset(
        name,
        reference_data / folder,
        data_dir=tmp_path,
        on_progress=lambda done, of_all: reports.append((done, of_all)),
    )
    assert isinstance(done, ImportReport) and not done.already_there
    assert all((table / "table.json").is_file() for table in done.tables)
    assert reports[-1][0] == reports[-1][1]
    assert [r[0] for r in reports] == sorted(r[0] for r in reports)
    tables = [load(name, split=s, data_dir=tmp_path) for s in ("train", "test")]
    assert not set(tables[0].origins) & set(tables[1].origins)
    if examples is not None:
        validation = load(name, split="validation", data_dir=tmp_path)
        assert sum(t.num_examples for t in (*tables, validation)) == examples


def test_unknown_names_and_options_are_named(tmp_path):
    for name in ("cifar", "glyphs"):
        with pytest.raises(ValueError, match=f"`name` must be one of .*'{name}'"):
            import_dataset(name, tmp_path)
    for name in set(importable()) - {"tiered_imagenet"}:
        with pytest.raises(ValueError, match=f"`partial` must be left out for {name}"):
            import_dataset(name, tmp_path, partial=True)
    with pytest.raises(ValueError, match="`seed` must be left out for omniglot"):
        import_dataset("omniglot", tmp_path, seed=1)
