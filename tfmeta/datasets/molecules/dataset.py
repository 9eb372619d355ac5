"""The records of Tox21 and SIDER."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmeta.datasets.dataset import Dataset

# Chosen on validation episodes of Tox21.
_TRAINING: Mapping[str, Any] = {
    "same_group": True,
    "characters": True,
    "train_ways": 2,
    "train_shots": 5,
    "train_queries": 16,
    "train_tasks": 4,
    "ways": 2,
    "shots": 10,
    "queries": 16,
    "validation_episodes": 200,
    "epochs": 3,
    "steps_per_epoch": 100,
}

TOX21 = Dataset(
    name="tox21",
    description="toxicity of 7,831 molecules in 12 assays",
    loader="tfmeta.datasets.molecules.tox21:load_tox21",
    importer="tfmeta.datasets.molecules.tox21:import_tox21",
    needs="tox21.csv or tox21.csv.gz of MoleculeNet",
    training=_TRAINING,
    examples="text",
)

SIDER = Dataset(
    name="sider",
    description="side effects of 1,427 drugs in 27 organ classes",
    loader="tfmeta.datasets.molecules.sider:load_sider",
    importer="tfmeta.datasets.molecules.sider:import_sider",
    needs="sider.csv or sider.csv.gz of MoleculeNet",
    training=_TRAINING,
    examples="text",
)
