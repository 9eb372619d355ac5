"""Molecules as tasks: every assay is one, active molecules against inactive ones."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.dataset import Dataset
from tfmeta.datasets.import_report import ImportReport, OnProgress
from tfmeta.datasets.reading.text_files import read_csv
from tfmeta.datasets.splits import check_split, take_groups
from tfmeta.datasets.text_tables import (
    TextClasses,
    keep_texts,
    open_texts,
)

SPLITS = ("train", "validation", "test", "trainval")
# How a file writes the outcomes; an empty field is a molecule not tested.
OUTCOMES = {"0": "inactive", "1": "active"}


@dataclasses.dataclass(frozen=True)
class AssayCollection:
    """What a complete file of molecules and assays holds.

    Args:
        record: The record of the data set.
        source_file: Name of the file.
        molecules: Number of rows.
        assays: The assays in the order of the file.
        validation: Those of the training assays that are the validation split.
        test: The assays of the test split.
        description: One line on where the molecules come from.
    """

    record: Dataset
    source_file: str
    molecules: int
    assays: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    description: str

    @property
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The assays of each split."""
        trainval = tuple(a for a in self.assays if a not in self.test)
        train = tuple(a for a in trainval if a not in self.validation)
        parts = (train, self.validation, self.test, trainval)
        return dict(zip(SPLITS, parts, strict=True))


def load_assays(
    collection: AssayCollection,
    split: str,
    data_dir: str | os.PathLike[str] | None,
) -> ClassTable:
    """The table of one split; see `load_tox21`."""
    check_split(collection.record.name, split, SPLITS)
    table = open_texts(collection.record, data_dir)
    return take_groups(table, collection.splits[split])


def import_assays(
    collection: AssayCollection,
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None,
    on_progress: OnProgress | None,
) -> ImportReport:
    """Reads the file, checks that it is complete, and writes the table."""
    source, file = Path(source).expanduser(), collection.source_file
    texts: dict[str, list[str]] = {
        f"{assay}/{outcome}": []
        for assay in collection.assays
        for outcome in OUTCOMES.values()
    }
    molecules: set[str] = set()
    rows = missing = 0
    columns = ("smiles", *collection.assays)
    for line, (smiles, *labels) in read_csv(source, file, columns):
        rows += 1
        if not smiles or not smiles.isascii() or any(c.isspace() for c in smiles):
            raise ValueError(
                f"{file} in {source}, line {line}: the molecule must be a SMILES "
                f"string. Received: {smiles[:60]!r}"
            )
        molecules.add(smiles)
        for assay, label in zip(collection.assays, labels, strict=True):
            # MoleculeNet's copies also write 0.0 and 1.0.
            label = label.strip().removesuffix(".0")
            if not label:
                missing += 1
            elif label in OUTCOMES:
                texts[f"{assay}/{OUTCOMES[label]}"].append(smiles)
            else:
                raise ValueError(
                    f"{file} in {source}, line {line}: {assay!r} must be 0, 1 or "
                    f"empty. Received: {label[:60]!r}"
                )
    if rows != collection.molecules:
        raise ValueError(
            f"{file} in {source} must hold {collection.molecules:,} molecules. "
            f"Received: {rows:,}"
        )
    empty = [name for name, class_texts in texts.items() if not class_texts]
    if empty:
        raise ValueError(
            f"{file} in {source} must hold active and inactive molecules of every "
            f"assay. Received: none for {', '.join(empty)}"
        )
    classes = TextClasses(
        name=collection.record.name,
        texts=texts,
        groups={name: name.rsplit("/", 1)[0] for name in texts},
        group_level="assay",
        description=collection.description,
    )
    path = table_path(data_dir, collection.record.name)
    there = keep_texts(path, classes, on_progress=on_progress)
    notes = list(there)
    if missing:
        notes.append(
            f"{missing:,} of the {rows * len(collection.assays):,} outcomes are "
            "missing in the file and were left out."
        )
    if len(molecules) != rows:
        notes.append(f"{rows - len(molecules):,} of the molecules repeat another.")
    return ImportReport((path,), bool(there), tuple(notes))
