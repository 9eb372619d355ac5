import pkgutil
import re
import subprocess
import sys

import pytest

import tfmeta

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
    public = set(tfmeta.__all__) - {"__version__"}
    assert packages - {"cli"} <= public
    assert dir(tfmeta) == sorted(tfmeta.__all__)
    for name in public:
        assert getattr(tfmeta, name).__name__ == f"tfmeta.{name}"


def test_what_is_not_there_is_no_attribute():
    assert not hasattr(tfmeta, "transformers")
    with pytest.raises(AttributeError, match="'tfmeta' has no attribute 'fly'"):
        tfmeta.fly  # noqa: B018
