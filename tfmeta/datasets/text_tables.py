"""Keeping a data set of texts as a table on disk, and finding it again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.dataset import Dataset
from tfmeta.datasets.import_report import OnProgress
from tfmeta.datasets.storage.layout import TEXT, TableLayout
from tfmeta.datasets.storage.table_folder import open_table, write_table


@dataclasses.dataclass(frozen=True)
class TextClasses:
    """Texts by class, on their way to a table.

    Args:
        name: Name of the data set.
        texts: Texts by class name; tables keep both orders.
        groups: Group by class name, or `None`.
        group_level: What a group is called.
        description: One line on where the texts come from.
    """

    name: str
    texts: Mapping[str, Sequence[str]]
    groups: Mapping[str, str] | None
    group_level: str
    description: str

    def layout(self) -> TableLayout:
        """What the table is going to hold."""
        content = json.dumps([[k, list(v)] for k, v in self.texts.items()])
        names = tuple(self.texts)
        groups = self.groups
        return TableLayout(
            name=self.name,
            class_names=names,
            class_sizes=tuple(len(self.texts[n]) for n in names),
            example_shape=(),
            dtype=TEXT,
            groups=None if groups is None else tuple(groups[n] for n in names),
            group_level=self.group_level,
            description=self.description,
            source_digest=hashlib.sha256(content.encode()).hexdigest(),
        )


def keep_texts(
    path: Path,
    classes: TextClasses,
    *,
    on_progress: OnProgress | None = None,
) -> tuple[str, ...]:
    """Writes the table at `path`, unless it is there already.

    Args:
        path: Folder of the table.
        classes: What it holds.
        on_progress: Called with the number of texts written or found, and of all.

    Returns:
        Notes for the user.

    Raises:
        ValueError: When another table, or a damaged one, is at `path`.
        OSError: When the disk is too small.
    """
    texts = [text for class_texts in classes.texts.values() for text in class_texts]
    layout = classes.layout()
    if os.path.lexists(path):
        there = open_table(path)
        if list(there.examples) != texts or there.class_names != layout.class_names:
            raise ValueError(
                f"{path} must be free or hold the same texts. Received: a table of "
                "others; remove it to import again"
            )
        if on_progress is not None:
            on_progress(len(texts), len(texts))
        return (f"{path} already held {classes.name}; these files were only checked.",)
    path.parent.mkdir(parents=True, exist_ok=True)
    items = ((row, lambda row=row: texts[row]) for row in range(len(texts)))
    write_table(path, layout, items, on_progress=on_progress)
    return ()


def open_texts(
    record: Dataset, data_dir: str | os.PathLike[str] | None, name: str | None = None
) -> ClassTable:
    """Opens a table of an import.

    Args:
        record: The data set.
        data_dir: The data folder.
        name: Name of the table; by default the data set's.

    Raises:
        FileNotFoundError: When it has not been imported; says how to.
        ValueError: When the table is damaged.
    """
    path = table_path(data_dir, record.name if name is None else name)
    if not path.is_dir():
        raise record.missing(data_dir)
    return open_table(path)


def repeated_texts(texts: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Sentences about texts that occur more than once, with examples.

    Args:
        texts: Texts by class name.

    Returns:
        Up to two sentences: on texts of several classes, which no classifier
        can get right, and on texts that repeat within a class.
    """
    classes_of: dict[str, list[str]] = {}
    for name, class_texts in texts.items():
        for text in class_texts:
            classes_of.setdefault(text, []).append(name)
    across = {t: sorted(set(c)) for t, c in classes_of.items() if len(set(c)) > 1}
    within = sum(len(c) - len(set(c)) for c in classes_of.values())
    notes = []
    if across:
        shown = [f"{t!r} ({' and '.join(c)})" for t, c in list(across.items())[:5]]
        notes.append(
            f"{len(across)} of the texts occur in more than one class and were kept "
            f"in each: {', '.join(shown)}{'' if len(across) <= 5 else ', ...'}."
        )
    if within:
        notes.append(
            f"{within} of the texts repeat one of their own class and were kept."
        )
    return tuple(notes)
