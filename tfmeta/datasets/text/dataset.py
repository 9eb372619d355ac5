"""The records of CLINC150 and BANKING77."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmeta.datasets.dataset import Dataset

# Chosen on validation episodes of CLINC150.
_TRAINING: Mapping[str, Any] = {
    "train_ways": 60,
    "train_shots": 1,
    "train_queries": 5,
    "ways": 10,
    "queries": 10,
    "validation_episodes": 200,
    "epochs": 6,
    "steps_per_epoch": 100,
    "learning_rate": 3e-4,
}

CLINC150 = Dataset(
    name="clinc150",
    description="150 intents of 10 domains, 150 sentences each",
    loader="tfmeta.datasets.text.clinc150:load_clinc150",
    importer="tfmeta.datasets.text.clinc150:import_clinc150",
    needs="data_full.json or data_full.json.gz of github.com/clinc/oos-eval",
    training=_TRAINING,
    examples="text",
    licence="CC BY 3.0",
)

BANKING77 = Dataset(
    name="banking77",
    description="77 intents of customers of a bank, 13,083 sentences",
    loader="tfmeta.datasets.text.banking77:load_banking77",
    importer="tfmeta.datasets.text.banking77:import_banking77",
    needs="train.csv and test.csv, or train.csv.gz and test.csv.gz, of "
    "github.com/PolyAI-LDN/task-specific-datasets",
    training=_TRAINING,
    examples="text",
    licence="CC BY 4.0",
)
