"""Which classes a run has seen, so that it is tested on others."""

from __future__ import annotations

from tfmeta.datasets import ClassTable
from tfmeta.json_files import read_json, write_json
from tfmeta.runs.run_folder import RunFolder


def classes_seen(
    train_table: ClassTable, validation_table: ClassTable, *, learns_from_them: bool
) -> dict[str, list[str]]:
    """Origins of the classes of training and of validation.

    Where the splits share classes, as in a protocol that splits the examples of each, a
    learner that takes nothing from them has seen none, and any other has seen those
    that it is to be tested on.

    Args:
        train_table: The training classes.
        validation_table: The validation classes.
        learns_from_them: Whether the learner takes anything from the training split.

    Returns:
        Origins by `"train"` and `"validation"`.

    Raises:
        ValueError: When they share classes and the learner learns from them.
    """
    seen = {
        "train": sorted(set(train_table.origins)),
        "validation": sorted(set(validation_table.origins)),
    }
    shared = sorted(set(seen["train"]) & set(seen["validation"]))
    if not shared:
        return seen
    if learns_from_them:
        raise ValueError(
            "`protocol` must be one whose splits share no class, for a learner that "
            "takes something from the training split: no class of a test would be new "
            f"to it. Received: {len(shared)} shared by training and validation, "
            f"{', '.join(shared[:5])}{', ...' if len(shared) > 5 else ''}"
        )
    return {"train": [], "validation": []}


def keep_classes(folder: RunFolder, classes: dict[str, list[str]]) -> None:
    """Writes which classes are seen.

    Raises:
        ValueError: When the folder says that it saw others.
    """
    if not folder.classes_file.is_file():
        write_json(folder.classes_file, classes)
    elif read_json(folder.classes_file, dict[str, list[str]]) != classes:
        raise ValueError(
            f"the data set must have the classes of {folder.classes_file} when "
            "resuming, or the run could be tested on classes that it saw. Received: "
            "a data set with others"
        )
