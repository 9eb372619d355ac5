"""What tasks of a library are drawn from, and what looks at their examples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfmeta.argument_names import renamed_arguments
from tfmeta.cli.head_options import LEARNER, named_encoder
from tfmeta.json_files import json_text

if TYPE_CHECKING:
    import keras

    from tfmeta.datasets import ClassTable


def from_anywhere(name: str) -> str:
    """A name, or a path that is the same from every folder."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() else name


def class_digest(table: ClassTable) -> str:
    """Of the names of all classes: by them the halves are dealt."""
    return hashlib.sha256(json_text(table.class_names, "classes").encode()).hexdigest()


def candidates_of(
    names: Sequence[str], dataset: str, table: ClassTable, data_dir: Path | None
) -> dict[str, keras.Model]:
    with renamed_arguments({"encoder": "candidates"}):
        return {name: encoder_for(name, dataset, table, data_dir) for name in names}


def encoder_for(
    name: str,
    dataset: str,
    table: ClassTable,
    data_dir: Path | None,
    *,
    size: int | None = None,
) -> keras.Model:
    """The encoder of a run folder, or of a name, for the examples of a table.

    Raises:
        ValueError: When it takes none like them.
    """
    from tfmeta.matrix.domain import Domain
    from tfmeta.matrix.fitting import DoesNotFitError, fit_encoder
    from tfmeta.matrix.row import encoder_row, run_row
    from tfmeta.runs.run_folder import RunFolder

    domain = Domain(dataset, table, "all", table.num_classes)
    if Path(name).is_dir():
        folder = RunFolder(Path(name))
        if not folder.config_file.is_file():
            raise FileNotFoundError(
                "`encoder` must be the folder of a run, as `tfmeta train` makes it. "
                f"Received: {name}, a folder without {folder.config_file.name}"
            )
        folder.check_has_learner()
        row = run_row(name, folder, data_dir=data_dir)
    else:
        row = encoder_row(name, named_encoder(name, size), LEARNER)
    try:
        return fit_encoder(row, domain).encoder
    except DoesNotFitError as error:
        raise ValueError(
            f"`encoder` must take the examples of {dataset}. Received: {name}; {error}"
        ) from error


def side_of(
    table: ClassTable, split: str, seed: int
) -> tuple[ClassTable, ClassTable | None]:
    """The classes that a library is of, and those that it is evaluated with."""
    from tfmeta.tasks.drawn_tasks import halved_groups

    return halved_groups(table, seed=seed) if split == "half" else (table, None)
