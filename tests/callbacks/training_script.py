"""A small training that can be stopped at any moment and started again.

`python training_script.py FOLDER --epochs N` trains in `FOLDER` and writes all
that a user could see of the result to `FOLDER/result.npz` and `result.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.callbacks import Resume

STEPS = 5


def draw_batches(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Batches with noisy labels, so that no metric improves all the time."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(count, 16, 6)).astype("float32")
    noise = generator.normal(size=(count, 16))
    return inputs, (inputs[..., 0] + noise > 0).astype("int32")


def training_data(start: int) -> tf.data.Dataset:
    """The batches from step `start` on."""
    inputs, labels = draw_batches(7, 250)
    return tf.data.Dataset.from_tensor_slices((inputs[start:], labels[start:]))


def validation_data() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(draw_batches(8, 2))


def build_model(seed: int, optimizer: Any = None, **options: Any) -> keras.Model:
    """A classifier with dropout, which draws from a random state of its own."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(2),
        ]
    )
    model.compile(
        optimizer=optimizer or keras.optimizers.Adam(0.05),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **options,
    )
    return model


def build_callbacks(
    folder: Path, patience: int = 1000
) -> list[keras.callbacks.Callback]:
    """One callback of each kind whose state is kept."""
    return [
        keras.callbacks.ModelCheckpoint(
            str(folder / "best.weights.h5"),
            monitor="val_accuracy",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
        ),
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.8, patience=3),
        keras.callbacks.EarlyStopping(
            "val_loss", patience=patience, restore_best_weights=True
        ),
    ]


class Pause(keras.callbacks.Callback):
    """Spreads an epoch over time, so that a kill falls anywhere in it."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        time.sleep(0.015)


def kill_in_save(building: Path, number: int) -> None:
    """SIGKILL for this process at a file operation of a save.

    Args:
        building: The temporary folder with which the save begins.
        number: The operation on files at which to die, counted from there.
    """
    left = number
    begun = False

    def watch(event: str, arguments: tuple) -> None:
        nonlocal left, begun
        if event == "os.kill" or not event.startswith(("open", "os.", "shutil.")):
            return
        begun = begun or str(building) in map(str, arguments)
        if begun:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(watch)


def write_result(
    folder: Path, model: keras.Model, callbacks: list, history: Any, resume: Resume
) -> None:
    variables = [*model.variables, *model.optimizer.variables]
    arrays = {str(i): np.asarray(v) for i, v in enumerate(variables)}
    np.savez(folder / "result.npz", **arrays)
    result = {
        "returned": history.history,
        "epochs": history.epoch,
        "history": resume.history,
        "step": resume.step,
        "epoch": resume.epoch,
        "callbacks": [
            {
                name: getattr(callback, name)
                for name in ("best", "wait", "best_epoch", "cooldown_counter")
                if hasattr(callback, name)
            }
            for callback in callbacks
        ],
    }
    (folder / "result.json").write_text(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--pause", action="store_true")
    parser.add_argument("--kill-in-save", type=int, nargs=2, default=None)
    arguments = parser.parse_args()
    folder = arguments.folder
    # Where there is a checkpoint, the weights built here must not matter.
    begun = any(folder.glob("checkpoints/checkpoint-*"))
    model = build_model(seed=99 if begun else 3)
    callbacks = build_callbacks(folder)
    resume = Resume(folder / "checkpoints", callbacks)
    resume.restore(model)
    if arguments.kill_in_save is not None:
        after, number = arguments.kill_in_save
        name = f".building-checkpoint-{resume.epoch + after:08d}"
        kill_in_save(folder / "checkpoints" / name, number)
    history = model.fit(
        training_data(resume.step),
        validation_data=validation_data(),
        initial_epoch=resume.initial_epoch,
        epochs=arguments.epochs,
        steps_per_epoch=STEPS,
        callbacks=[*callbacks, *([Pause()] if arguments.pause else []), resume],
        shuffle=False,
        verbose=0,
    )
    write_result(folder, model, callbacks, history, resume)


if __name__ == "__main__":
    main()
