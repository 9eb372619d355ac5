"""Stop a training run at any moment, and resume it as if it never stopped."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfmeta.callbacks import callback_state
from tfmeta.callbacks.checkpoint_folder import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    replace_file,
    save_checkpoint,
)
from tfmeta.callbacks.environment import describe_environment, list_differences
from tfmeta.callbacks.model_state import (
    get_model_state,
    prepare_model,
    set_model_state,
)
from tfmeta.callbacks.resume_state import check_state
from tfmeta.callbacks.stop_at_non_finite import NonFiniteTrainingError
from tfmeta.finite_checks import count_not_finite


class Resume(keras.callbacks.Callback):
    """Saves a run after every epoch and resumes it bit for bit.

    A checkpoint is one folder with all that the rest of the run depends on:
    weights, random seeds of layers, the optimizer with its learning rate, the
    number of steps and epochs, the history, and of the callbacks it is given
    their state and the best file. It is there in full or not at all, so that a
    run which is killed at any moment, during a save too, loses no more than the
    epoch it was in. The run then ends with the same bits as one that was never
    stopped, provided that

    - the training data is a function of the step: an endless data set that can
      begin at any step, together with `steps_per_epoch`, or one that each epoch
      reads in full in the same order,
    - so is whatever else is random: layers with seeds of their own are kept,
      Python's, NumPy's and Keras' global random states are not,
    - the software, the threads and the processor are the same. A checkpoint
      records them, and `restore` warns of every difference.

    The latest checkpoint alone is kept, in
    `<folder>/checkpoint-<number of epochs>`.

    What happens when training has ended: a run that `EarlyStopping` (or any
    callback that sets `model.stop_training`) has stopped stays stopped. With
    `initial_epoch=resume.initial_epoch` a further `fit` trains no epoch, leaves
    the model as the first one left it, best weights restored where
    `EarlyStopping` does so, and returns the whole history. The same holds for a
    run that has reached `epochs`; with more `epochs` that one trains on.

    A checkpoint holds finite numbers alone: weights that are NaN or infinite are
    neither saved nor restored, so that a run can go on from the epoch before.
    `StopAtNonFinite` stops such a run at once, and says why.

    Args:
        folder: Where the checkpoints go. One folder belongs to one run.
        callbacks: The callbacks whose state belongs to the run:
            `keras.callbacks.EarlyStopping`, `ReduceLROnPlateau` and
            `ModelCheckpoint` (of one fixed file). Hand the same ones to `fit`,
            all before this one; others of their arguments are not kept.

    Attributes:
        step: Number of batches trained on, counted over all epochs. Counted by
            this callback, since not every learner's step is an optimizer's.
        epoch: Number of epochs trained.
        history: Name of a metric to its value after each epoch, as in
            `keras.callbacks.History`.
        finished: Whether training was stopped before it had reached `epochs`.

    Raises:
        TypeError: When the state of a callback in `callbacks` is not known.
        ValueError: When a `ModelCheckpoint` writes more than one file. `fit` raises
            it when the steps of an epoch are no multiple of `steps_per_execution`,
            or not known, for then nobody says how many batches the last call took;
            and when weights are not finite at the end of an epoch.

    Example:

    ```python
    best = keras.callbacks.ModelCheckpoint(
        "run/best.weights.h5",
        monitor="val_accuracy",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    early = keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=5)
    resume = tfmeta.callbacks.Resume("run/checkpoints", callbacks=[best, early])

    learner.compile(optimizer="adam")
    resume.restore(learner)
    learner.fit(
        episodes.as_dataset(start=resume.step),
        validation_data=validation_data,
        initial_epoch=resume.initial_epoch,
        epochs=100,
        steps_per_epoch=100,
        callbacks=[best, early, resume],
    )
    ```
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.callbacks = list(callbacks)
        callback_state.check_callbacks(self.callbacks)
        self._start_anew()
        self._late: list[str] = []
        self._restored: tuple[Any, Any] | None = None
        self._owns_folder = False
        self._inside_epoch = False

    def _start_anew(self) -> None:
        self.step = 0
        self.epoch = 0
        self.history: dict[str, list[Any]] = {}
        self.finished = False
        self._epochs: list[int] = []
        self._batches = 0
        # What is to be given back once Keras has reset it, and then no more.
        self._pending: Checkpoint | None = None
        self._fill_history = False

    @property
    def initial_epoch(self) -> int:
        """What `fit` needs as `initial_epoch`.

        The number of epochs trained, or, where training is `finished`, a number
        beyond any `epochs`, upon which `fit` trains no epoch.
        """
        return sys.maxsize if self.finished else self.epoch

    def restore(self, model: keras.Model) -> bool:
        """Brings `model` to where the latest checkpoint left the run.

        Call it after `compile` and before `fit`, in the first run, too. The
        best files are written back, older than they were if need be; the
        callbacks get their state when `fit` begins.

        Args:
            model: The model, built and compiled as in the run that was stopped.

        Returns:
            Whether there was a checkpoint. Without one nothing is changed.

        Raises:
            ValueError: When the checkpoint is damaged, was written by a later
                version of tfmeta, holds weights that are not finite, or does not fit
                the model or the callbacks.
        """
        prepare_model(model)
        checkpoint = load_checkpoint(self.folder)
        if checkpoint is not None:
            check_state(checkpoint, self.callbacks)
            _check_finite(checkpoint.arrays, f"checkpoint {checkpoint.folder}")
            set_model_state(model, checkpoint.arrays, f"checkpoint {checkpoint.folder}")
            self._warn_of_differences(checkpoint, model)
            for index, callback in enumerate(self.callbacks):
                target = callback_state.get_file(callback)
                kept = checkpoint.state["callbacks"][index]["file"]
                if target is not None and kept is not None:
                    replace_file(checkpoint.files[kept], target)
        self._start_anew()
        if checkpoint is not None:
            self.step = checkpoint.state["step"]
            self.epoch = checkpoint.state["epoch"]
            self.history = checkpoint.state["history"]
            self.finished = checkpoint.state["finished"]
            self._epochs = checkpoint.state["epochs"]
            self._pending = checkpoint
            self._fill_history = True
        self._restored = (model, model.optimizer)
        self._owns_folder = True
        self._inside_epoch = False
        return checkpoint is not None

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        # Keras hands one and the same dictionary to each callback in turn:
        # whoever has not got it yet comes later, or not at all.
        self._late = [
            type(callback).__name__
            for callback in self.callbacks
            if callback.params is not params
        ]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._late:
            raise ValueError(
                "`callbacks` of `fit` must hold every callback that Resume keeps, "
                "and Resume after them all. Received: no "
                f"{' and no '.join(self._late)} before it"
            )
        self._check_restored()
        self._check_countable()
        if self._pending is None:
            # `fit` was called again: what stopped the one before is over.
            self.finished = False
            return
        arrays = self._pending.arrays
        for index, callback in enumerate(self.callbacks):
            kept = self._pending.state["callbacks"][index]
            weights = [arrays[f"callback.{index}.{i}"] for i in range(kept["arrays"])]
            callback_state.set_state(callback, kept["state"], weights or None)
        self._pending = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.finished or (self.epoch and epoch != self.epoch):
            state = "was stopped for good" if self.finished else "stands"
            raise ValueError(
                "`fit` must be called with `initial_epoch=resume.initial_epoch`: the "
                f"run in {self.folder} {state} after {self.epoch} epochs; use another "
                f"folder to start anew. Received: initial_epoch={epoch}"
            )
        self._continue_history()
        self._inside_epoch = True
        self._batches = 0

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        # Not a count of calls: with `steps_per_execution` one call stands for
        # several batches, and `batch` is the last of them.
        self._batches = batch + 1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.step += self._batches
        self.epoch = epoch + 1
        self.finished = bool(self.model.stop_training)
        self._epochs.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(callback_state.plain(value))
        self._save()
        self._owns_folder = True
        self._inside_epoch = False

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._continue_history()

    def _save(self) -> None:
        arrays = get_model_state(self.model)
        _check_finite(arrays, f"the checkpoint after epoch {self.epoch}")
        files: dict[str, Path] = {}
        kept = []
        for index, callback in enumerate(self.callbacks):
            weights = callback_state.get_arrays(callback) or []
            for i, array in enumerate(weights):
                arrays[f"callback.{index}.{i}"] = array
            path = callback_state.get_file(callback)
            name = None
            if path is not None and path.is_file():
                name = f"callback-{index}-{path.name}"
                files[name] = path
            kept.append(
                {
                    **callback_state.describe(callback),
                    "state": callback_state.get_state(callback),
                    "arrays": len(weights),
                    "file": name,
                }
            )
        save_checkpoint(
            self.folder,
            self.epoch,
            environment=describe_environment(self.model),
            state={
                "step": self.step,
                "epoch": self.epoch,
                "finished": self.finished,
                "history": self.history,
                "epochs": self._epochs,
                "callbacks": kept,
            },
            arrays=arrays,
            files=files,
        )

    def _check_restored(self) -> None:
        if not self._owns_folder and list_checkpoints(self.folder):
            raise ValueError(
                "`resume.restore(model)` must be called before `fit` when there is a "
                f"checkpoint, or another folder be used. Received: {self.folder}"
            )
        if self._inside_epoch:
            raise ValueError(
                "`resume.restore(model)` must be called before `fit` when the `fit` "
                "before broke off within an epoch; where that was the first one, "
                "build the model anew. Received: a model that trained on part of "
                f"epoch {self.epoch}"
            )
        if self._pending is not None and self._restored is not None:
            model, optimizer = self._restored
            if self.model is not model or self.model.optimizer is not optimizer:
                raise ValueError(
                    "`resume.restore(model)` must be called on the model that is "
                    "trained, after `compile`, which makes a new optimizer. Received: "
                    "a model or an optimizer that was not restored"
                )

    def _check_countable(self) -> None:
        steps, at_once = self.params.get("steps"), self.model.steps_per_execution
        if at_once > 1 and (steps is None or steps % at_once):
            raise ValueError(
                "`steps_per_epoch` must be given beside Resume, as a multiple of "
                f"steps_per_execution={at_once}, or batches could not be counted. "
                f"Received: {'none' if steps is None else steps} steps an epoch"
            )

    def _warn_of_differences(self, checkpoint: Checkpoint, model: keras.Model) -> None:
        differences = list_differences(
            checkpoint.environment, describe_environment(model)
        )
        if differences:
            warnings.warn(
                f"the run in {self.folder} is resumed under other conditions, "
                "bit-identical results are not promised: " + "; ".join(differences),
                stacklevel=3,
            )

    def _continue_history(self) -> None:
        """Puts the epochs before into what `fit` returns."""
        # Not in `on_train_begin`: Keras appends its History after all other
        # callbacks, so that it would forget again.
        if self._fill_history:
            record = self.model.history
            record.history = {name: list(v) for name, v in self.history.items()}
            record.epoch = list(self._epochs)
            self._fill_history = False


def _check_finite(arrays: Mapping[str, np.ndarray], source: str) -> None:
    """Checks the variables of a model, by the names of `get_model_state`."""
    wrong = [
        name
        for name, array in arrays.items()
        if name.startswith(("model.", "optimizer.")) and count_not_finite(array)
    ]
    if wrong:
        raise NonFiniteTrainingError(
            f"{source} must hold finite numbers alone. Received: {len(wrong)} of "
            f"{len(arrays)} arrays with NaN or infinity, the first {wrong[0]}; train "
            "anew into another folder, with a lower learning rate"
        )
