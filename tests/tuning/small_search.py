"""A small search, and a process that dies in the middle of its second trial.

`python small_search.py FOLDER` searches in `FOLDER` and kills itself with
SIGKILL after the first epoch of the second trial.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np

from tfmeta.datasets import ClassTable
from tfmeta.learners import PrototypicalNetwork
from tfmeta.tuning import LearnerHyperModel

EPOCHS = 2
STEPS = 2
SETTINGS: dict[str, Any] = {
    "ways": 3,
    "shots": 2,
    "queries": 3,
    "seed": 5,
    "steps_per_epoch": STEPS,
    "validation_episodes": 4,
    "train_ways": (3, 5),
    "train_shots": (1, 2),
    "filters": (4, 8),
    "train_queries": 2,
}


def make_table(name: str, classes: int) -> ClassTable:
    """Six noisy pictures of each class; no picture occurs twice."""
    generator = np.random.default_rng([len(name), classes])
    ideals = generator.uniform(0, 255, (classes, 1, 16, 16, 1))
    noise = generator.normal(0, 40, (classes, 6, 16, 16, 1))
    pictures = np.clip(ideals + noise, 0, 255).astype("uint8")
    return ClassTable(
        name=name,
        examples=pictures.reshape(-1, 16, 16, 1),
        offsets=np.arange(classes + 1) * 6,
        class_names=tuple(f"class{i}" for i in range(classes)),
    )


class EagerHyperModel(LearnerHyperModel):
    """Runs without tracing, which takes most of the time of so small a trial."""

    def build(self, hp: keras_tuner.HyperParameters) -> PrototypicalNetwork:
        learner = super().build(hp)
        learner.run_eagerly = True
        return learner


def make_hypermodel(
    kind: type[LearnerHyperModel] = LearnerHyperModel, **settings: Any
) -> LearnerHyperModel:
    tables = make_table("train", 9), make_table("validation", 7)
    return kind(*tables, **{**SETTINGS, **settings})


def make_tuner(
    folder: Path, hypermodel: LearnerHyperModel, max_trials: int = 2
) -> keras_tuner.RandomSearch:
    return keras_tuner.RandomSearch(
        hypermodel,
        hypermodel.objective,
        max_trials=max_trials,
        seed=2,
        directory=folder,
        project_name="small",
    )


class Journal(keras.callbacks.Callback):
    """Notes each epoch that begins, with the learning rate that tells trials apart.

    Args:
        folder: Where the journal is kept.
        die_at_line: At which line of the journal to kill the process.
    """

    def __init__(self, folder: Path, die_at_line: int | None = None) -> None:
        super().__init__()
        self.file = folder / "journal.txt"
        self.die_at_line = die_at_line

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        rate = float(self.model.optimizer.learning_rate)
        with self.file.open("a") as file:
            file.write(f"{rate!r} {epoch}\n")
        if len(self.file.read_text().splitlines()) == self.die_at_line:
            os.kill(os.getpid(), signal.SIGKILL)


def read_journal(folder: Path) -> list[tuple[float, int]]:
    """The learning rate and number of every epoch that was begun."""
    lines = (folder / "journal.txt").read_text().splitlines()
    return [(float(rate), int(epoch)) for rate, epoch in map(str.split, lines)]


def main() -> None:
    folder = Path(sys.argv[1])
    # The second epoch of the second trial begins: its first left a checkpoint.
    journal = Journal(folder, die_at_line=EPOCHS + 2)
    make_tuner(folder, make_hypermodel(EagerHyperModel)).search(
        epochs=EPOCHS, callbacks=[journal], verbose=0
    )


if __name__ == "__main__":
    main()
