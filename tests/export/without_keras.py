"""Runs a script as if neither tfmeta nor Keras were installed.

`python without_keras.py SCRIPT ARGUMENT...`
"""

import importlib
import runpy
import sys

HIDDEN = {"tfmeta", "keras", "tf_keras"}


class HidingFinder:
    """Another finder of modules, to which the hidden packages do not exist.

    Raising instead would not do: TensorFlow looks whether Keras is there.
    """

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            return None
        return self.finder.find_spec(name, path, target)


if __name__ == "__main__":
    sys.meta_path[:] = [HidingFinder(finder) for finder in sys.meta_path]
    for package in HIDDEN:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError:
            continue
        sys.exit(f"{package} could be imported")
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
    if leaked := HIDDEN & set(sys.modules):
        sys.exit(f"imported: {leaked}")
