"""Exports a trained run as a SavedModel that says what it was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tfmeta import export
from tfmeta.datasets import ClassTable
from tfmeta.datasets.reading.ground import common_ground, ground_of
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
        The version folder. Its model takes pictures of the dtype that it was
        trained on.
    """
    config = folder.read_config()
    figures = [
        {
            **{k: r.protocol[k] for k in ("ways", "shots", "queries", "episodes")},
            "accuracy": r.accuracy,
            "over_episode_draws": r.over_episode_draws,
            "over_test_classes": list(r.over_test_classes),
            "transductive": r.transductive,
        }
        for r in read_results(folder)
    ]
    return export.save(
        learner,
        path or folder.saved_model,
        # Pixels of 16 bits must not be taken for ones of 8, nor shares for levels.
        input_dtype=table.examples.dtype.name if kind_of(table) == "pictures" else None,
        description={
            "training_data": table.name,
            "training_data_description": table.description,
            "light_ground": light_ground(table),
            "protocol": config.to_json(),
            "test_figures": figures,
        },
    )


def light_ground(table: ClassTable) -> bool | None:
    """Whether pictures are dark on light.

    Args:
        table: Classes of any examples.

    Returns:
        True for dark ink on light ground, False for the other way round, `None`
        for colours, for what has no clear ground (`common_ground` of about 1,000
        pictures, of which 2 % may be the other way round) and for all else.
    """
    if (
        kind_of(table) != "pictures"
        or table.example_shape[-1] != 1
        or table.examples.dtype not in (np.uint8, np.uint16)
    ):
        return None
    rows = np.arange(0, table.num_examples, max(1, table.num_examples // 1000))
    ground = common_ground(
        map(ground_of, np.asarray(table.examples[rows])), most_against=0.02
    )
    return {"light": True, "dark": False}.get(ground)
