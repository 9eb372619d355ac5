"""Exports a trained run as a SavedModel that says what it was trained on."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tfmeta import export
from tfmeta.datasets import ClassTable
from tfmeta.learners import FewShotLearner
from tfmeta.runs.data import kind_of, light_ground
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.measuring.open_set import read_thresholds
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
        trained on, and its `tfmeta.json` has the run's thresholds for unknown classes.

    Raises:
        ValueError: When a result of the run is damaged; names the file.
        FolderInUseError: When another process trains the run, or writes there for long.
        OSError: When it cannot be written, as on a full disk; names the version.
    """
    config = folder.read_config()
    # Others that write versions there wait for each other.
    owned = folder.only_writer(wait=True) if path is None else contextlib.nullcontext()
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
    thresholds = read_thresholds(folder)
    dtype = table.examples.dtype.name
    with owned:
        return export.save(
            learner,
            path or folder.saved_model,
            # Pixels of 16 bits must not be taken for ones of 8, nor shares for levels.
            input_dtype=dtype if kind_of(table) == "pictures" else None,
            description={
                "training_data": table.name,
                "training_data_description": table.description,
                "light_ground": light_ground(table),
                "protocol": config.to_json(),
                "test_figures": figures,
            },
            open_set_thresholds=thresholds,
        )
