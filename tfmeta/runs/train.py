"""Trains a learner into a run folder."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import keras

from tfmeta._version import __version__
from tfmeta.callbacks import Resume
from tfmeta.callbacks.environment import describe_environment
from tfmeta.datasets import ClassTable
from tfmeta.durable import put_in_place
from tfmeta.episodes import Episodes
from tfmeta.json_files import read_json, write_json
from tfmeta.learners import FewShotLearner
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.provenance import git_commit
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.training_data import open_training


def validation_episodes(config: TrainConfig, table: ClassTable) -> tuple[Episodes, int]:
    """The fixed validation episodes, and in how many steps they come."""
    # Tasks of a step are encoded in one call: as many as divide the number.
    tasks = next(n for n in (8, 5, 4, 3, 2, 1) if config.validation_episodes % n == 0)
    episodes = Episodes(
        table,
        ways=config.ways,
        shots=config.shots,
        queries=config.queries,
        tasks=tasks,
        seed=config.seed,
        same_group=config.same_group,
        unlabelled=config.unlabelled,
        distractors=config.distractors,
    )
    return episodes, config.validation_episodes // tasks


def train(
    config: TrainConfig,
    folder: RunFolder,
    *,
    resume: bool = False,
    data_dir: str | os.PathLike | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    train_table: ClassTable | None = None,
) -> FewShotLearner:
    """Trains, selects the best epoch on validation classes, saves the learner.

    Args:
        config: What to train. It must equal the folder's own when resuming.
        folder: Where the run is kept.
        resume: Whether to go on with what the folder holds.
        data_dir: Where data sets are kept, `None` for the default.
        callbacks: Further callbacks, e.g. a progress bar.
        train_table: The training classes where they are loaded already.

    Returns:
        The learner with the weights of its best epoch.

    Raises:
        FileExistsError: When the folder holds a run and `resume` is False.
        ValueError: When the folder's configuration differs, or the data do not
            allow such episodes or batches.
    """
    goes_on = resume and folder.exists
    if goes_on:
        _check_same(config, folder)
    else:
        folder.check_startable(resume=False)
    if train_table is None:
        train_table = load_split(config, "train", data_dir)
    validation_table = load_split(config, "validation", data_dir)
    validation, validation_steps = validation_episodes(config, validation_table)
    # Before the folder is begun: what cannot be built must leave none behind.
    training = open_training(config, train_table, validation)
    learner = build_learner(config, train_table)

    if not goes_on:
        program = {"tfmeta": __version__, "commit": git_commit()}
        folder.create(config, {**program, **describe_environment(learner)})
    _keep_classes(folder, train_table, validation_table)

    if folder.learner_file.exists():
        return load_learner(folder)
    best = keras.callbacks.ModelCheckpoint(
        str(folder.best_weights),
        monitor="val_accuracy",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    keep = Resume(folder.checkpoints, callbacks=[best])
    keep.restore(learner)
    learner.fit(
        training(keep.step),
        initial_epoch=keep.initial_epoch,
        epochs=config.epochs,
        steps_per_epoch=config.steps_per_epoch,
        validation_data=validation.as_dataset(steps=validation_steps),
        callbacks=[best, *callbacks, _Timing(folder), keep],
        shuffle=False,
        verbose=0,
    )
    write_json(folder.history_file, keep.history)
    learner.load_weights(folder.best_weights)
    temporary = folder.path / ".learner.tmp.keras"
    learner.save(temporary)
    put_in_place(temporary, folder.learner_file)
    return learner


class _Timing(keras.callbacks.Callback):
    """Adds up the seconds of training, validation included, over all resumes."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self._file = folder.timing_file
        self._seconds = 0.0
        if self._file.exists():
            self._seconds = float(read_json(self._file)["training_seconds"])
        self._since = time.monotonic()

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._since = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        now = time.monotonic()
        self._seconds += now - self._since
        self._since = now
        write_json(self._file, {"training_seconds": self._seconds})


def _keep_classes(
    folder: RunFolder, train_table: ClassTable, validation_table: ClassTable
) -> None:
    """Writes which classes are seen; refuses to go on with others."""
    classes = {
        "train": sorted(set(train_table.origins)),
        "validation": sorted(set(validation_table.origins)),
    }
    if not folder.classes_file.is_file():
        write_json(folder.classes_file, classes)
    elif read_json(folder.classes_file) != classes:
        raise ValueError(
            f"the data set must have the classes of {folder.classes_file} when "
            "resuming, or the run could be tested on classes that it saw. Received: "
            "a data set with others"
        )


def _check_same(config: TrainConfig, folder: RunFolder) -> None:
    """Refuses to go on with a run under another configuration."""
    kept = folder.read_config().to_json()
    for name, value in config.to_json().items():
        if kept[name] != value:
            raise ValueError(
                f"`{name}` must stay as in {folder.config_file} when resuming, "
                f"{kept[name]!r}. Received: {name}={value!r}"
            )


def load_learner(folder: RunFolder) -> FewShotLearner:
    """The trained learner of a run.

    Raises:
        FileNotFoundError: When training has not ended.
        ValueError: When the file is damaged.
    """
    folder.read_config()
    if not folder.learner_file.is_file():
        raise FileNotFoundError(
            f"{folder.learner_file} must hold the trained learner. Received: no such "
            "file, training has not ended; go on with `tfmeta train --resume`"
        )
    try:
        return keras.saving.load_model(folder.learner_file)
    except Exception as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{folder.learner_file} could not be read as a learner ({first_line}). "
            "It is damaged: delete it and run `tfmeta train --resume`, which writes "
            "it again from the last checkpoint"
        ) from error
