"""Every tutorial runs from its first cell to its last, in short and as it stands."""

import ast
import importlib.metadata
from pathlib import Path

import pytest

from tfmeta.datasets.registry import import_dataset

TUTORIALS = {
    path.stem: path
    for path in sorted(
        (Path(__file__).resolve().parent.parent / "tutorials").glob("*.ipynb")
    )
}
# In place of what the cell tagged `parameters` says; a tutorial without such a cell
# is short as it stands.
SHORT = {
    "01_first_few_shot_classifier": {"EPOCHS": 2, "STEPS_PER_EPOCH": 2},
    "02_choosing_a_metric_learner": {"STEPS": 2},
    "03_maml_from_sinusoids_to_omniglot": {
        "SINE_STEPS": 20,
        "EPOCHS": 2,
        "STEPS_PER_EPOCH": 2,
        "TEST_INNER_STEPS": 1,
        "TEST_QUERIES": 2,
        "WAYS": (6,),
    },
    "04_your_own_images": {
        "PRETRAINING_EPOCHS": 1,
        "EPOCHS": 1,
        "STEPS_PER_EPOCH": 3,
    },
    "05_few_shot_text": {"EPOCHS": 1, "STEPS_PER_EPOCH": 3},
    "08_learning_with_memory": {
        "MANN_EPOCHS": 1,
        "SNAIL_EPOCHS": 1,
        "STEPS_PER_EPOCH": 2,
    },
    "09_which_tasks_are_alike": {
        "WAVES": 100,
        "WAVE_STEPS": 20,
        "METRIC_EPOCHS": 2,
        "ENCODER_STEPS": 2,
        "TASKS": 60,
        "NEW_TASKS": 20,
    },
    "10_serve_and_enrol": {"EPOCHS": 1, "STEPS_PER_EPOCH": 2},
    "11_learning_to_act": {
        "NAVIGATION_STEPS": 6,
        "BANDIT_STEPS": 6,
        "POLE_STEPS": 3,
    },
    "13_a_gallery_of_classes": {"EPOCHS": 1, "MORE_EPOCHS": 1, "STEPS_PER_EPOCH": 2},
}


def read(name):
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(TUTORIALS[name], as_version=4)


def parameters(notebook):
    """Places of the cells tagged `parameters`, and the names that they assign."""
    places = [
        place
        for place, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", [])
    ]
    names = {
        target.id
        for place in places
        for line in ast.parse(notebook.cells[place].source).body
        for target in line.targets
    }
    return places, names


def shortened(name):
    """The notebook with other parameters, in a cell of their own as of papermill."""
    nbformat = pytest.importorskip("nbformat")
    notebook = read(name)
    if name in SHORT:
        (place,), _ = parameters(notebook)
        lines = [f"{key} = {value}" for key, value in SHORT[name].items()]
        cell = nbformat.v4.new_code_cell(
            "\n".join(lines), metadata={"tags": ["injected-parameters"]}
        )
        notebook.cells.insert(place + 1, cell)
    return notebook


@pytest.mark.parametrize("name", TUTORIALS)
def test_every_parameter_has_a_short_value(name):
    places, names = parameters(read(name))
    assert len(places) == (name in SHORT)
    assert names == set(SHORT.get(name, ()))


@pytest.fixture
def execute(tmp_path, request, monkeypatch):
    """Runs all cells of a notebook, with the data and packages that it names."""

    def execute(notebook):
        nbclient = pytest.importorskip("nbclient")
        asked = notebook.metadata.get("tfmeta", {})
        for package in asked.get("packages", []):
            try:
                importlib.metadata.distribution(package)
            except importlib.metadata.PackageNotFoundError:
                pytest.skip(f"the package {package} is not installed")
        needed = asked.get("needs", [])
        if needed == ["omniglot"]:
            folder = request.getfixturevalue("omniglot_dir")
            monkeypatch.setenv("TFMETA_DATA_DIR", str(folder))
        elif needed:
            reference_data = request.getfixturevalue("reference_data")
            monkeypatch.setenv("TFMETA_DATA_DIR", str(tmp_path / "data"))
            for name in needed:
                (source,) = reference_data.glob(f"*/{name}")
                import_dataset(name, source)
        client = nbclient.NotebookClient(
            notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}
        )
        client.execute()
        ran = [c for c in notebook.cells if c.cell_type == "code"]
        assert ran and all(cell.execution_count for cell in ran)
        assert not [
            output
            for cell in ran
            for output in cell.outputs
            if output.output_type == "error"
        ]

    return execute


@pytest.mark.slow
@pytest.mark.parametrize("name", TUTORIALS)
def test_runs_in_short(name, execute):
    execute(shortened(name))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SHORT)
def test_runs_as_it_stands(name, execute):
    execute(read(name))
