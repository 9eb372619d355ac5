"""The best weights of a training, in a file that is whole at any moment."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras

from tfmeta.durable import check_room, writing

# What HDF5 needs beside an array, generously.
_BESIDE = 2**13


class WholeModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """A `ModelCheckpoint` of one file, which is written whole or not at all.

    Keras writes into the file itself: a kill or a full disk then costs the best epoch
    so far. To `Resume` it is a `ModelCheckpoint`.

    Args:
        *args, **kwargs: As of `keras.callbacks.ModelCheckpoint`.

    Raises:
        OSError: At the end of an epoch, when the file cannot be written; names it.

    Example:

    ```python
    best = WholeModelCheckpoint(
        "best.weights.h5",
        monitor="val_accuracy",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    ```
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        target, best = str(vars(self)["filepath"]), vars(self)["best"]
        try:
            with writing(Path(target)) as building:
                check_room(building, _room_for(self.model))
                self.filepath = str(building)
                super().on_epoch_end(epoch, logs)
        except BaseException:
            self.best = best
            raise
        finally:
            self.filepath = target


def _room_for(model: keras.Model) -> int:
    """At least as many bytes as a file of the model takes."""
    variables = [*model.variables, *getattr(model.optimizer, "variables", ())]
    sizes = (math.prod(v.shape) * v.value.dtype.size + _BESIDE for v in variables)
    return _BESIDE + sum(sizes)
