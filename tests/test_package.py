import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfmeta

REPOSITORY = Path(__file__).resolve().parent.parent

LAZY = """
import sys, tfmeta
heavy = [n for n in ("tensorflow", "keras", "numpy", "rich") if n in sys.modules]
print(tfmeta.__version__, heavy)
tfmeta.datasets.ClassTable
print("tensorflow" in sys.modules)
"""


def test_importing_it_does_not_import_tensorflow():
    done = subprocess.run(
        [sys.executable, "-c", LAZY], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"{tfmeta.__version__} []", "False"]
    assert done.stderr == ""


def test_the_version_is_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", tfmeta.__version__)


def test_subpackages_come_when_they_are_asked_for():
    packages = {m.name for m in pkgutil.iter_modules(tfmeta.__path__) if m.ispkg}
    public = set(tfmeta.__all__) - {
        "FewShotClassifier",
        "Gallery",
        "__version__",
        "load",
    }
    assert packages - {"cli"} <= public
    assert dir(tfmeta) == sorted(tfmeta.__all__)
    for name in public:
        assert getattr(tfmeta, name).__name__ == f"tfmeta.{name}"
    assert tfmeta.load.__module__ == "tfmeta.loading"
    assert tfmeta.Gallery is tfmeta.gallery.Gallery
    assert tfmeta.FewShotClassifier.__module__ == "tfmeta.few_shot_classifier"


def names_in_the_documentation():
    """Every `tfmeta.x.y` that pages, notebooks and docstrings write, and where."""
    pages = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("*/*.md")]
    pages += REPOSITORY.glob("tutorials/*.ipynb")
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    for path in (REPOSITORY / "tfmeta").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = [
            ast.get_docstring(n) for n in ast.walk(tree) if isinstance(n, documented)
        ]
        texts[str(path)] = "\n".join(filter(None, found))
    names = {}
    for place, text in texts.items():
        # What is imported or run by its whole name needs no attribute.
        text = re.sub(r"\b(from|import|m)\W{1,6}tfmeta[\w.]*", "", text)
        for match in re.finditer(r"(?<![\w/.-])tfmeta(?:\.[A-Za-z_]\w*)+", text):
            names.setdefault(match.group(), place)
    del names["tfmeta.json"]  # A file.
    return names


def test_what_the_documentation_names_is_there_after_import_tfmeta():
    names = names_in_the_documentation()
    assert {"tfmeta.load", "tfmeta.datasets.class_splits"} < names.keys()
    missing = []
    for name, place in names.items():
        value, *parts = tfmeta, *name.split(".")[1:]
        for part in parts:
            found = getattr(value, part, None)
            # Another test may have imported it: it must come by the package alone.
            by_chance = (
                inspect.ismodule(found)
                and not hasattr(value, "__getattr__")
                and f"{value.__name__}.{part}" not in inspect.getsource(value)
            )
            if found is None or by_chance:
                missing.append((name, place))
                break
            value = found
    assert not missing


def test_what_is_not_there_is_no_attribute():
    assert not hasattr(tfmeta, "transformers")
    with pytest.raises(AttributeError, match="'tfmeta' has no attribute 'fly'"):
        tfmeta.fly  # noqa: B018
