"""Runs a script in a process that can import neither tfmeta nor Keras.

`python without_keras.py SCRIPT ARGUMENT...`
"""

import importlib
import importlib.abc
import runpy
import sys

FORBIDDEN = {"tfmeta", "keras", "tf_keras"}


class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(f"{name} is not to be imported", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, Blocker())
    for package in FORBIDDEN:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError:
            continue
        sys.exit(f"{package} could be imported")
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
    if leaked := FORBIDDEN & set(sys.modules):
        sys.exit(f"imported: {leaked}")
