"""Exports the policy of a run as a SavedModel that says what it was trained on."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tfmeta import export
from tfmeta.control_registry import PREFIX, family_entry
from tfmeta.learners import FewShotLearner
from tfmeta.registry import learner_entry
from tfmeta.runs.measuring.returns import Returns
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_run
from tfmeta.runs.train_command import train_command


def export_policy(
    folder: RunFolder, learner: FewShotLearner, path: Path | None = None
) -> Path:
    """Writes the next version of a run's SavedModel: `begin`, `act` and `adapt`.

    Args:
        folder: The run.
        learner: Its trained learner.
        path: Where to write, by default the run's own `saved_model`.

    Returns:
        The version folder.

    Raises:
        FolderInUseError: When another process trains the run, or writes there for long.
        OSError: When it cannot be written, as on a full disk; names the version.
        ValueError: When a file with results is damaged.
    """
    config = folder.read_config()
    name = config.dataset.removeprefix(PREFIX)
    entry = learner_entry(config.learner)
    description = {
        "learner": entry.title,
        "tasks": f"{name}: {family_entry(name).summary}",
        "task_arguments": config.task_arguments or {},
        "training": (
            f"This run {describe_run(config)}. It takes {config.steps:,} steps with "
            f"seed {config.seed} and keeps the weights of the best of "
            f"{config.epochs:,} epochs, by {config.validation_episodes:,} validation "
            "tasks."
        ),
        "command": train_command(config),
        "commit": folder.read_environment().get("commit"),
        "returns": [result.to_json() for result in Returns().read(folder)],
    }
    owned = folder.only_writer(wait=True) if path is None else contextlib.nullcontext()
    with owned:
        return export.save(learner, path or folder.saved_model, description=description)
