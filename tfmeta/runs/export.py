"""Exports a trained run as a SavedModel that says what it was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfmeta import export
from tfmeta.datasets import ClassTable
from tfmeta.datasets.reading.pictures import looks_inverted
from tfmeta.learners import FewShotLearner
from tfmeta.runs.data import kind_of
from tfmeta.runs.evaluate import read_results
from tfmeta.runs.run_folder import RunFolder


def export_run(
    folder: RunFolder,
    learner: FewShotLearner,
    table: ClassTable,
    path: Path | None = None,
) -> Path:
    """Writes the next version of the run's SavedModel.

    Args:
        folder: The run.
        learner: Its trained learner.
        table: Classes of its data set, of any split: they say what kind of
            pictures the encoder knows.
        path: Where to write, by default the run's own `saved_model`.

    Returns:
        The version folder.
    """
    config = folder.read_config()
    light_ground = None
    if kind_of(table) == "pictures" and table.examples.dtype == np.uint8:
        rows = np.arange(0, table.num_examples, max(1, table.num_examples // 1000))
        light_ground = looks_inverted(np.asarray(table.examples[rows]))
    figures = [
        {
            **{k: r.protocol[k] for k in ("ways", "shots", "queries", "episodes")},
            "accuracy": r.accuracy,
            "over_episode_draws": r.over_episode_draws,
            "over_test_classes": r.over_test_classes.to_json(),
            "transductive": r.transductive,
        }
        for r in read_results(folder)
    ]
    return export.save(
        learner,
        path or folder.saved_model,
        description={
            "training_data": table.name,
            "training_data_description": table.description,
            "light_ground": light_ground,
            "protocol": config.to_json(),
            "test_figures": figures,
        },
    )
