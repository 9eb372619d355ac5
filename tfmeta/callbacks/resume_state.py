"""What a checkpoint of `Resume` must hold, so that whoever reads it can rely on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import keras

from tfmeta.callbacks import callback_state
from tfmeta.callbacks.checkpoint_folder import Checkpoint
from tfmeta.json_types import check_type

# What is kept of a callback.
_Kept = TypedDict(
    "_Kept",
    {
        "class": str,
        "monitor": str,
        "state": dict[str, Any],
        "arrays": int,
        "file": str | None,
    },
)


class _State(TypedDict):
    """The state of a run beside its arrays."""

    step: int
    epoch: int
    finished: bool
    history: dict[str, list[Any]]
    epochs: list[int]
    callbacks: list[_Kept]


def check_state(
    checkpoint: Checkpoint, callbacks: Sequence[keras.callbacks.Callback]
) -> None:
    """Checks that a checkpoint holds what `Resume` keeps, and all that it names.

    Args:
        checkpoint: The checkpoint.
        callbacks: Those whose state it must keep.

    Raises:
        ValueError: When it does not; names it.
    """
    source = f"the state of checkpoint {checkpoint.folder}"
    check_type(checkpoint.state, _State, source)
    names = ("class", "monitor")
    saved = [{n: kept[n] for n in names} for kept in checkpoint.state["callbacks"]]
    given = [callback_state.describe(callback) for callback in callbacks]
    if saved != given:
        raise ValueError(
            "`callbacks` must hold the callbacks of the run that was stopped, in "
            f"the same order: checkpoint {checkpoint.folder} keeps {saved}. "
            f"Received: {given}"
        )
    for index, kept in enumerate(checkpoint.state["callbacks"]):
        arrays = [f"callback.{index}.{i}" for i in range(min(kept["arrays"], 10**6))]
        lacking = [name for name in arrays if name not in checkpoint.arrays]
        if kept["file"] is not None and kept["file"] not in checkpoint.files:
            lacking.append(kept["file"])
        if lacking:
            raise ValueError(
                f"{source} must name what is there. Received: {lacking[0]!r}, which is "
                "not"
            )
    for callback, kept in zip(callbacks, checkpoint.state["callbacks"], strict=False):
        for name in callback_state.attributes(callback):
            value = kept["state"].get(name, "nothing")
            if isinstance(value, str | dict):
                raise ValueError(
                    f"`{name}` in {source} must be a number. Received: {value!r:.80}"
                )
