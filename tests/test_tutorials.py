"""Every tutorial runs from its first cell to its last."""

import importlib.metadata
from pathlib import Path

import pytest

from tfmeta.datasets.registry import import_dataset

TUTORIALS = sorted(
    (Path(__file__).resolve().parent.parent / "tutorials").glob("*.ipynb")
)


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_runs(path, tmp_path, request, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    needed = notebook.metadata.get("tfmeta", {}).get("needs", [])
    for package in notebook.metadata.get("tfmeta", {}).get("packages", []):
        try:
            importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"the package {package} is not installed")
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
