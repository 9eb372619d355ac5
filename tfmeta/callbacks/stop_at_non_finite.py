"""Ends a training whose loss or weights are no numbers any more, and says why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf

from tfmeta.callbacks.model_state import count_non_finite_variables
from tfmeta.finite_checks import count_not_finite


class NonFiniteTrainingError(ValueError):
    """A loss, or weights, are NaN or infinite: what comes after is worth nothing."""


class StopAtNonFinite(keras.callbacks.Callback):
    """Raises at the step whose loss is NaN or infinite, with the likely cause.

    `keras.callbacks.TerminateOnNaN` sets `stop_training` by default: the epoch ends
    as if nothing were wrong, is validated, and a checkpoint takes its weights. This
    one raises, so that no other callback sees an epoch that has failed, and the best
    file and the checkpoint are of an earlier one. It finds besides:

    - weights that are not finite after a step. The loss may hide them: a rectifier
      gives 0 for NaN on a CPU. At the end of an epoch the optimizer's variables are
      looked at as well,
    - a validation loss that is not finite. That may pass, so training goes on; but
      an accuracy of answers that are no numbers is none, so every `val_` figure of
      the epoch becomes NaN. `ModelCheckpoint` takes NaN for the best where it is
      the first, unless it has an `initial_value_threshold`.

    Under `mixed_float16` a step that the optimizer skips, for its scaled gradients
    overflow, is no failure: its loss is finite. With `steps_per_execution` above 1,
    Keras shows the loss of several steps in one, and the message names them all.

    Give it to `fit` before all other callbacks.

    Args:
        data_from: The training data from a step on, counted from 0 over all epochs,
            such as `lambda step: episodes.as_dataset(start=step)`. Where it is given,
            the batches that failed are looked at for numbers that are not finite.

    Raises:
        NonFiniteTrainingError: A `ValueError`, from `fit`. The model is left as the
            failed step made it.

    Example:

    ```python
    learner.fit(
        episodes.as_dataset(),
        steps_per_epoch=100,
        epochs=10,
        callbacks=[tfmeta.callbacks.StopAtNonFinite(), best, resume],
    )
    ```
    """

    def __init__(self, data_from: Callable[[int], Iterable] | None = None) -> None:
        super().__init__()
        self._data_from = data_from
        self._epoch = 0
        self._done = 0
        self._trained_before = False
        self._rate: float | None = None
        self._finite: Callable[[], tf.Tensor] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._trained_before = False
        self._check_weights("before the first step", [])
        floats = [v for v in self.model.variables if tf.as_dtype(v.dtype).is_floating]
        # A replica's copies are looked at once an epoch.
        single = self.model.distribute_strategy.num_replicas_in_sync == 1
        self._finite = _all_finite(floats) if floats and single else None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._trained_before = self._trained_before or epoch > 0
        self._epoch, self._done = epoch, 0
        # It may have fallen to 0 by the time it has done its harm.
        self._rate = _learning_rate(self.model.optimizer)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        first, self._done = self._done, batch + 1
        # The mean over the epoch, which no later step can make finite again.
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            place, steps = self._place(first, batch)
            raise NonFiniteTrainingError(
                f"the training loss of {type(self.model).__name__} must be finite. "
                f"Received: {loss} in {place}. {self._likely_cause(steps)}"
            )
        self._trained_before = True
        if self._finite is not None and not self._finite():
            place, steps = self._place(first, batch)
            self._check_weights(f"after {place}", steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._check_weights(f"after epoch {epoch + 1}", [])
        if logs is not None and not math.isfinite(logs.get("val_loss", 0.0)):
            for name in logs:
                if name.startswith("val_"):
                    logs[name] = math.nan

    def _check_weights(self, when: str, steps: list[int]) -> None:
        found = count_non_finite_variables(self.model)
        if found:
            name, wrong = next(iter(found.items()))
            raise NonFiniteTrainingError(
                f"the weights of {type(self.model).__name__} must be finite. Received: "
                f"{len(found)} tensors with NaN or infinity {when}, the first {name} "
                f"with {wrong} such numbers. {self._likely_cause(steps)}"
            )

    def _place(self, first: int, last: int) -> tuple[str, list[int]]:
        """The steps in words, and counted from 0 over all epochs where known."""
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        if steps:
            last = min(last, steps - 1)
        words = "step " if first == last else "one of the steps "
        epoch = f"epoch {self._epoch + 1}" + (f" of {epochs}" if epochs else "")
        if self._epoch and not steps:
            return f"{words}{_numbers(first, last)} of {epoch}", []
        before = self._epoch * (steps or 0)
        counted = list(range(before + first, before + last + 1))
        within = f", its step {_numbers(first, last)}" if before else ""
        return f"{words}{_numbers(counted[0], counted[-1])} ({epoch}{within})", counted

    def _likely_cause(self, steps: list[int]) -> str:
        """One sentence; `steps` counts those that failed, over all epochs."""
        in_data = self._not_finite_in_data(steps)
        if in_data:
            return f"The cause is in the data: {in_data}"
        causes = []
        layers = self.model._flatten_layers()
        if any(getattr(layer, "compute_dtype", "") == "float16" for layer in layers):
            causes.append(
                "float16, which holds no number above 65,504: use mixed_bfloat16 or "
                "float32"
            )
        if self._trained_before:
            rate = self._rate
            value = "" if rate is None else f", {rate:g} when the epoch began"
            causes.append(f"the learning rate{value}: lower it")
        if not self._trained_before or (steps and self._data_from is None):
            causes.append("numbers in the data that are not finite, or huge")
        only = "Likely" if len(causes) == 1 else "Likely one of"
        first_step = "" if self._trained_before else "; no step was taken before it"
        return f"{only}: {'; '.join(causes) or 'the loss'}{first_step}"

    def _not_finite_in_data(self, steps: list[int]) -> str | None:
        if self._data_from is None or not steps:
            return None
        for step, batch in zip(steps, self._data_from(steps[0]), strict=False):
            for path, part in keras.tree.flatten_with_path(batch):
                wrong = count_not_finite(part)
                if wrong:
                    names = [key for key in path if isinstance(key, str)]
                    return (
                        f"{wrong} numbers of {names[0] if names else 'its batch'} in "
                        f"step {step + 1} are NaN or infinite"
                    )
        return None


def _all_finite(variables: list[keras.Variable]) -> Callable[[], tf.Tensor]:
    """A function that says whether they all are, at the cost of reading them."""

    @tf.function
    def all_finite() -> tf.Tensor:
        return tf.reduce_all(
            tf.stack([tf.reduce_all(tf.math.is_finite(v.value)) for v in variables])
        )

    return all_finite


def _numbers(first: int, last: int) -> str:
    """Steps counted from 0 as people count them."""
    return f"{first + 1}" if first == last else f"{first + 1} to {last + 1}"


def _learning_rate(optimizer: Any) -> float | None:
    rate = getattr(optimizer, "learning_rate", None)
    return None if rate is None else float(keras.ops.convert_to_numpy(rate))
