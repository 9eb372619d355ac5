"""What an export says of the run that it comes from."""

from __future__ import annotations

from typing import Any

from tfmeta.datasets import ClassTable
from tfmeta.runs.data import light_ground
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.run_folder import RunFolder


def describe_export(folder: RunFolder, table: ClassTable) -> dict[str, Any]:
    """What a run was trained on, how, and its figures.

    Args:
        folder: The run.
        table: Classes of its data set, of any split.
    """
    figures = [
        {
            **{k: r.protocol[k] for k in ("ways", "shots", "queries", "episodes")},
            "accuracy": r.accuracy,
            "over_episode_draws": r.over_episode_draws,
            "over_test_classes": r.over_test_classes.to_json(),
            "transductive": r.transductive,
            "pretraining": r.pretraining and r.pretraining.to_json(),
        }
        for r in read_results(folder)
    ]
    return {
        "training_data": table.name,
        "training_data_description": table.description,
        "light_ground": light_ground(table),
        "protocol": folder.read_config().to_json(),
        "test_figures": figures,
    }
