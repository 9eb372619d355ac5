"""Trains a learner into a run folder."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Sequence

import keras

from tfmeta._version import __version__
from tfmeta.callbacks import (
    NonFiniteTrainingError,
    Resume,
    StopAtNonFinite,
    WholeModelCheckpoint,
)
from tfmeta.callbacks.environment import describe_environment
from tfmeta.durable import writing
from tfmeta.evaluation.figure import figure_of
from tfmeta.json_files import null_where_not_finite, write_json
from tfmeta.learners import FewShotLearner
from tfmeta.model_files import (
    ModelTooLarge,
    check_model_file,
    first_line,
    loading,
)
from tfmeta.registry import learner_entry, resolve
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.plan import plan_training
from tfmeta.runs.provenance import git_commit
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.seen_classes import keep_classes
from tfmeta.runs.training_plan import Prepared, TrainingPlan


def train(
    config: TrainConfig,
    folder: RunFolder,
    *,
    resume: bool = False,
    data_dir: str | os.PathLike | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    plan: TrainingPlan | None = None,
    on_features: Callable[[int, int], None] | None = None,
) -> FewShotLearner:
    """Trains, selects the best epoch on validation classes, saves the learner.

    Args:
        config: What to train. It must equal the folder's own when resuming.
        folder: Where the run is kept.
        resume: Whether to go on with what the folder holds.
        data_dir: Where data sets are kept, `None` for the default.
        callbacks: Further callbacks, e.g. a progress bar.
        plan: That of the configuration, where it is made already.
        on_features: Called with the number of examples whose features are computed,
            and of all, for each table; of a run on a frozen encoder.

    Returns:
        The learner with the weights of its best epoch.

    Raises:
        FileExistsError: When the folder holds a run and `resume` is False.
        ValueError: When the folder's configuration differs, or the data do not
            allow such episodes or batches.
        NonFiniteTrainingError: When the loss or the weights are NaN or infinite. The
            best epoch before, if any, becomes the learner of the folder, and
            `failure.json` says what happened. Resuming tries again from the last
            checkpoint, which is of that epoch or a later finite one.
        FolderInUseError: When another process writes the folder, or takes it over on
            the way.
        OSError: When a file cannot be written, as on a full disk; names it. Resuming
            goes on from the last checkpoint.
    """
    folder.check_startable(resume=resume)
    with folder.only_writer():
        return _train_alone(
            config,
            folder,
            resume=resume,
            data_dir=data_dir,
            callbacks=callbacks,
            plan=plan,
            on_features=on_features,
        )


def _train_alone(
    config: TrainConfig,
    folder: RunFolder,
    *,
    resume: bool,
    data_dir: str | os.PathLike | None,
    callbacks: Sequence[keras.callbacks.Callback],
    plan: TrainingPlan | None,
    on_features: Callable[[int, int], None] | None,
) -> FewShotLearner:
    """Trains as the only writer of the folder."""
    goes_on = resume and folder.exists
    if goes_on:
        config = as_begun(config, folder)
    else:
        folder.check_startable(resume=False)
    # Before the folder is begun: what cannot be built must leave none behind.
    plan = plan or plan_training(config, data_dir=data_dir)
    config = plan.config
    if folder.is_trained:
        keep_classes(folder, plan.classes)
        return load_learner(folder)
    prepared = plan.prepared(data_dir=data_dir, on_features=on_features)
    learner, training = prepared.learner, prepared.training
    if not goes_on:
        program = {"tfmeta": __version__, "commit": git_commit()}
        folder.create(config, {**program, **describe_environment(learner)})
    keep_classes(folder, plan.classes)
    if training is None:
        write_json(folder.history_file, {})
        return _save_learner(folder, prepared.whole(learner))
    figure = figure_of(learner.task)
    best = WholeModelCheckpoint(
        str(folder.best_weights),
        monitor=f"val_{figure.name}",
        mode="max" if figure.higher_is_better else "min",
        save_best_only=True,
        save_weights_only=True,
        # Without it the first figure would be the best, NaN too.
        initial_value_threshold=-math.inf if figure.higher_is_better else math.inf,
    )
    keep = Resume(folder.checkpoints, callbacks=[best])
    keep.restore(learner)
    try:
        learner.fit(
            training(keep.step),
            initial_epoch=keep.initial_epoch,
            epochs=config.epochs,
            steps_per_epoch=config.steps_per_epoch,
            validation_data=prepared.validation.as_dataset(steps=plan.validation_steps),
            callbacks=[
                StopAtNonFinite(training),
                best,
                *callbacks,
                _Timing(folder),
                keep,
            ],
            shuffle=False,
            verbose=0,
        )
        if not _has_best(best):
            raise NonFiniteTrainingError(
                f"validation must give finite figures after some epoch. Received: none "
                f"in {keep.epoch} epochs of {type(learner).__name__}, whose training "
                "loss stayed finite"
            )
    except NonFiniteTrainingError as error:
        raise _keep_what_was_finite(folder, prepared, keep, best, error) from error
    learner = _save_best(folder, prepared, keep)
    folder.failure_file.unlink(missing_ok=True)
    return learner


def _save_best(folder: RunFolder, prepared: Prepared, keep: Resume) -> FewShotLearner:
    """Writes the history, and the learner with the weights of the best epoch.

    Returns:
        The learner of examples that was written.
    """
    write_json(folder.history_file, null_where_not_finite(keep.history))
    advice = f"remove it and {folder.checkpoints} to train anew"
    with loading("the weights of this run", folder.best_weights, advice):
        check_model_file(folder.best_weights)
        prepared.learner.load_weights(folder.best_weights)
    return _save_learner(folder, prepared.whole(prepared.learner))


def _save_learner(folder: RunFolder, learner: FewShotLearner) -> FewShotLearner:
    """Writes the learner of a run, whole or not at all."""
    with writing(folder.learner_file) as building:
        learner.save(building)
    return learner


def _has_best(best: keras.callbacks.ModelCheckpoint) -> bool:
    """Whether some epoch had a finite validation figure."""
    return best.best is not None and math.isfinite(best.best)


def _keep_what_was_finite(
    folder: RunFolder,
    prepared: Prepared,
    keep: Resume,
    best: keras.callbacks.ModelCheckpoint,
    error: NonFiniteTrainingError,
) -> NonFiniteTrainingError:
    """Saves the best earlier epoch, if there is one, and that training failed.

    Returns:
        The error, with what was kept.
    """
    kept = "No epoch was finished before it, so there is no learner"
    has_best = keep.epoch > 0 and _has_best(best)
    if has_best:
        kept = (
            f"The best of the {keep.epoch} epochs before it is kept in "
            f"{folder.learner_file}"
        )
    # First: a learner without it would count as trained to its end.
    write_json(
        folder.failure_file, {"failure": str(error), "finished_epochs": keep.epoch}
    )
    folder.learner_file.unlink(missing_ok=True)
    if has_best:
        keep.restore(prepared.learner)  # Its optimizer is not finite either.
        _save_best(folder, prepared, keep)
    return NonFiniteTrainingError(f"training in {folder.path} failed: {error}. {kept}")


class _Timing(keras.callbacks.Callback):
    """Adds up the seconds of training, validation included, over all resumes."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self._file = folder.timing_file
        self._seconds = folder.training_seconds or 0.0
        self._since = time.monotonic()

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._since = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        now = time.monotonic()
        self._seconds += now - self._since
        self._since = now
        write_json(self._file, {"training_seconds": self._seconds})


def as_begun(config: TrainConfig, folder: RunFolder) -> TrainConfig:
    """The configuration with which a run goes on: that with which it began.

    Raises:
        ValueError: When it is another one; which classes are in which split is for
            the folder to say, unless the configuration does.
        FileNotFoundError: As `RunFolder.read_config`.
    """
    kept = folder.read_config()
    if config.splits is None:
        config = dataclasses.replace(config, splits=kept.splits)
    for name, value, kept_value in config.differences(kept):
        raise ValueError(
            f"`{name}` must stay as in {folder.config_file} when resuming, "
            f"{kept_value!r}. Received: {name}={value!r}"
        )
    return config


def load_learner(folder: RunFolder) -> FewShotLearner:
    """The trained learner of a run.

    Raises:
        FileNotFoundError: When training has not ended.
        ValueError: When the file is damaged, holds no learner, or more than
            `tfmeta.model_files.most_bytes`, or the class of the learner is not there.
    """
    config = folder.read_config()
    # Keras finds only classes that have been imported.
    resolve(learner_entry(config.learner).path)
    folder.check_has_learner()
    try:
        check_model_file(folder.learner_file)
        learner = keras.saving.load_model(folder.learner_file)
    except ModelTooLarge:
        raise
    except Exception as error:
        raise ValueError(
            f"{folder.learner_file} could not be read as a learner "
            f"({first_line(error)}). It is damaged: delete it and run `tfmeta train "
            "--resume`, which writes it again from the last checkpoint"
        ) from error
    if not isinstance(learner, FewShotLearner):
        raise ValueError(
            f"{folder.learner_file} must hold a learner. Received: a "
            f"{type(learner).__name__}, which is none"
        )
    return learner
