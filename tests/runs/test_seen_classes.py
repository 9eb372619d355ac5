"""What counts as seen where splits share classes, and where they do not."""

import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.seen_classes import classes_seen, keep_classes


def table(*names):
    return ClassTable.from_arrays("toy", np.arange(len(names)), list(names))


@pytest.mark.parametrize("learns", [True, False])
def test_splits_of_classes(learns):
    seen = classes_seen(table("b", "a"), table("c"), learns_from_them=learns)
    assert seen == {"train": ["toy/a", "toy/b"], "validation": ["toy/c"]}


def test_splits_that_share_classes():
    one, other = table("a", "b"), table("a", "b")
    seen = classes_seen(one, other, learns_from_them=False)
    assert seen == {"train": [], "validation": []}
    with pytest.raises(ValueError, match=r"`protocol` must .*2 shared .*toy/a, toy/b$"):
        classes_seen(one, other, learns_from_them=True)


def test_a_folder_keeps_them(tmp_path):
    folder = RunFolder(tmp_path)
    keep_classes(folder, {"train": ["toy/a"], "validation": []})
    keep_classes(folder, {"train": ["toy/a"], "validation": []})
    assert folder.seen_classes() == ["toy/a"]
    with pytest.raises(ValueError, match="must have the classes of .* when resuming"):
        keep_classes(folder, {"train": ["toy/b"], "validation": []})
