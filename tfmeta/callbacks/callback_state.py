"""What Keras callbacks must remember when a run is stopped and resumed."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfmeta.callbacks.whole_model_checkpoint import WholeModelCheckpoint

# The attributes that change in the course of a `fit`. Keras keeps them public,
# and resets those of the first two whenever a `fit` begins.
_ATTRIBUTES: dict[type, tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("best", "wait", "best_epoch", "stopped_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: ("best",),
    WholeModelCheckpoint: ("best",),
}
# They can take over from each other.
_NAMES = {WholeModelCheckpoint: keras.callbacks.ModelCheckpoint.__name__}


def check_callbacks(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Raises where the state of a callback cannot be kept in full.

    Subclasses are refused, too: they may hold state that nobody knows of.
    """
    for callback in callbacks:
        if type(callback) not in _ATTRIBUTES:
            names = ", ".join(kind.__name__ for kind in _ATTRIBUTES)
            raise TypeError(
                f"`callbacks` must hold callbacks of these types: {names}. Callbacks "
                "without state of their own need not be listed. Received: "
                f"{type(callback).__name__}"
            )
        if not isinstance(callback, keras.callbacks.ModelCheckpoint):
            continue
        fields = [
            field for _, field, _, _ in string.Formatter().parse(callback.filepath)
        ]
        if any(field is not None for field in fields):
            raise ValueError(
                "`callbacks` must hold ModelCheckpoints of one fixed file, which is "
                "kept with the checkpoint. Received: a ModelCheckpoint with "
                f"placeholders, filepath={callback.filepath!r}"
            )
        if callback.save_freq != "epoch":
            raise ValueError(
                "`callbacks` must hold ModelCheckpoints that save at the end of "
                "epochs, save_freq='epoch'. Received: a ModelCheckpoint with "
                f"save_freq={callback.save_freq!r}"
            )


def describe(callback: keras.callbacks.Callback) -> dict[str, str]:
    """What must be equal for a state to be given back to a callback."""
    name = _NAMES.get(type(callback), type(callback).__name__)
    return {"class": name, "monitor": callback.monitor}


def attributes(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    """Names of the scalars a callback remembers."""
    return _ATTRIBUTES[type(callback)]


def get_state(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The scalars a callback remembers, as JSON holds them."""
    return {name: plain(getattr(callback, name)) for name in attributes(callback)}


def get_arrays(callback: keras.callbacks.Callback) -> list[np.ndarray] | None:
    """The weights of the best epoch, where a callback holds them."""
    return getattr(callback, "best_weights", None)


def set_state(
    callback: keras.callbacks.Callback,
    state: dict[str, Any],
    arrays: list[np.ndarray] | None,
) -> None:
    """Gives back what `get_state` and `get_arrays` have read."""
    for name in attributes(callback):
        setattr(callback, name, state[name])
    if isinstance(callback, keras.callbacks.EarlyStopping):
        callback.best_weights = arrays


def get_file(callback: keras.callbacks.Callback) -> Path | None:
    """The file a callback writes, or `None` when it writes none."""
    if isinstance(callback, keras.callbacks.ModelCheckpoint):
        return Path(callback.filepath)
    return None


def plain(value: Any) -> Any:
    """A number or array as JSON holds it, without loss."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            "what is kept in a checkpoint must be a number, a string or an array of "
            f"numbers. Received: {value!r} of type {type(value).__name__}"
        )
    return array.tolist()
