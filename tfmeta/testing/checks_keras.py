"""Checks of compile, fit and what comes with them."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfmeta.testing.comparisons import (
    ROUNDING_32,
    expect,
    expect_close,
    flat,
    values_of,
    weights_of,
)
from tfmeta.testing.subject import WAYS, Subject, learner_check


@learner_check()
def check_fit_with_defaults(subject: Subject) -> None:
    """`compile()` without arguments is enough for `fit` with validation."""
    learner = subject.learner()
    before = flat(values_of(learner.trainable_variables))
    learner.compile()
    ways = WAYS + 1 if subject.ways_are_free else WAYS
    history = learner.fit(
        subject.episodes().as_dataset(),
        steps_per_epoch=2,
        epochs=2,
        validation_data=subject.episodes(ways=ways).as_dataset(steps=1),
        verbose=0,
        shuffle=False,
    ).history
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        expect(
            name in history,
            f"`fit` after `compile()` must report {name!r}. Received: "
            f"{', '.join(history)}",
        )
        expect(
            len(history[name]) == 2 and bool(np.all(np.isfinite(history[name]))),
            f"`fit` must report one finite {name!r} per epoch. Received: "
            f"{history[name]}",
        )
    after = flat(values_of(learner.trainable_variables))
    expect(
        before.size == after.size and not np.array_equal(before, after),
        "`fit` must change the trainable weights that the learner was made with",
    )


@learner_check()
def check_callbacks(subject: Subject) -> None:
    """EarlyStopping, ModelCheckpoint and TensorBoard work as they are."""
    learner = subject.compiled("sgd")
    with tempfile.TemporaryDirectory() as folder:
        file, logs = Path(folder) / "best.keras", Path(folder) / "logs"
        callbacks = [
            keras.callbacks.EarlyStopping(
                "val_loss", min_delta=1e9, patience=1, restore_best_weights=True
            ),
            keras.callbacks.ModelCheckpoint(
                file, monitor="val_accuracy", mode="max", save_best_only=True
            ),
        ]
        with_tensorboard = importlib.util.find_spec("tensorboard") is not None
        if with_tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(logs))
        history = learner.fit(
            subject.episodes().as_dataset(),
            steps_per_epoch=1,
            epochs=4,
            validation_data=subject.episodes(varied=True).as_dataset(steps=1),
            callbacks=callbacks,
            verbose=0,
            shuffle=False,
        ).history
        expect(
            len(history["loss"]) == 2,
            "EarlyStopping must stop after the second epoch, the first without "
            f"improvement. Received: {len(history['loss'])} epochs",
        )
        expect(file.is_file(), "ModelCheckpoint must write the best model")
        loaded = keras.saving.load_model(file)
        expect(
            type(loaded) is type(learner),
            f"ModelCheckpoint's file must load as {type(learner).__name__}. Received: "
            f"{type(loaded).__name__}",
        )
        expect(
            not with_tensorboard or any(logs.rglob("events.out.tfevents.*")),
            "TensorBoard must write its event files",
        )


@learner_check("mixed_bfloat16")
def check_mixed_precision(subject: Subject) -> None:
    """Under `mixed_bfloat16` training is finite, and weights stay float32."""
    learner = subject.compiled("adam")
    before = flat(weights_of(learner))
    losses = _losses(learner, subject.batch(varied=True))
    weights = weights_of(learner)
    expect(
        bool(np.all(np.isfinite(losses))),
        f"losses must be finite under mixed_bfloat16. Received: {losses}",
    )
    expect(
        {w.dtype.name for w in weights} == {"float32"},
        "weights must stay float32 under mixed_bfloat16. Received: "
        f"{sorted({w.dtype.name for w in weights})}",
    )
    after = flat(weights)
    expect(
        bool(np.all(np.isfinite(after))) and not np.array_equal(before, after),
        "weights must be trained, and stay finite, under mixed_bfloat16",
    )


@learner_check()
def check_jit_compile(subject: Subject) -> None:
    """Training with and without `jit_compile` gives the same losses."""
    batch = subject.batch(varied=True)
    plain, jit = (
        _losses(subject.compiled(keras.optimizers.SGD(0.1), jit_compile=option), batch)
        for option in (False, True)
    )
    expect_close(
        jit,
        plain,
        ROUNDING_32,
        "jit_compile must not change the losses on batches with padding, "
        f"{plain} without and {jit} with it",
    )


@learner_check()
def check_no_retracing(subject: Subject) -> None:
    """Steps of one shape are traced once."""
    learner = subject.compiled("sgd")
    traces = {"train_step": 0, "test_step": 0}

    def count(name: str) -> None:
        step = getattr(learner, name)

        def counted(data: Any) -> Any:
            traces[name] += 1
            return step(data)

        setattr(learner, name, counted)

    for name in traces:
        count(name)
    per_epoch = []
    learner.fit(
        subject.episodes().as_dataset(),
        steps_per_epoch=2,
        epochs=3,
        validation_data=subject.episodes().as_dataset(steps=2),
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: per_epoch.append({**traces})
            )
        ],
        verbose=0,
        shuffle=False,
    )
    expect(
        per_epoch[-1] == per_epoch[0],
        "steps of one shape must be traced in the first epoch only. Received: "
        f"{per_epoch[0]} traces after the first, {per_epoch[-1]} after the third",
    )


def _losses(learner: keras.Model, batch: tuple, steps: int = 3) -> list[float]:
    return [
        learner.train_on_batch(*batch, return_dict=True)["loss"] for _ in range(steps)
    ]
