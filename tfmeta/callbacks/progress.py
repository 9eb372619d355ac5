"""One progress bar for a whole training, with an estimate of its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import rich.console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tfmeta.console import Console
from tfmeta.printable import one_line


class TrainingProgress(keras.callbacks.Callback):
    """Shows all epochs of a `fit` as one bar, and one line per finished epoch.

    Use it with `verbose=0`. Where the output is no terminal, the lines alone
    are printed.

    A line says which figures are of training and which of validation, and shares as
    percent: `epoch 1/10: training on 20-way 1-shot: accuracy 71.2 %, loss 0.9312;
    validation on 5-way 1-shot: accuracy 93.4 %, loss 0.2214`.

    Args:
        console: The rich console to print to.
        training: What training is on, e.g. `"20-way 1-shot"`: figures of other ways
            do not compare. Left out where it is empty.
        validation: What validation is on.

    Example:

    ```python
    learner.fit(..., callbacks=[TrainingProgress()], verbose=0)
    ```
    """

    def __init__(
        self,
        console: rich.console.Console | None = None,
        *,
        training: str = "",
        validation: str = "",
    ) -> None:
        super().__init__()
        self._sides = {"": ("training", training), "val_": ("validation", validation)}
        self._console = console or Console()
        self._progress: Progress | None = None
        self._task: Any = None
        self._batches = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the bar."""
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._progress.start()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Places the bar where the training starts, also after a resume."""
        self._batches = 0
        if self._progress is None or self._task is not None:
            return
        # Keras learns the number of steps in the first epoch when nobody says it.
        steps = self.params["steps"]
        self._task = self._progress.add_task(
            "training",
            total=None if steps is None else steps * self.params["epochs"],
            completed=0 if steps is None else steps * epoch,
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Moves the bar."""
        # With `steps_per_execution` one call stands for several batches, of
        # which `batch` is the last, were there as many.
        done = min(batch + 1, self.params["steps"] or batch + 1)
        if self._progress is not None:
            self._progress.advance(self._task, done - self._batches)
        self._batches = done

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Prints the epoch's figures."""
        width = len(str(self.params["epochs"]))
        said = f"epoch {epoch + 1:{width}d}/{self.params['epochs']}: "
        said += "; ".join(self._sides_in_words(logs or {}))
        self._console.print(Text(one_line(said)), highlight=False, soft_wrap=True)

    def _sides_in_words(self, logs: dict[str, float]) -> Iterator[str]:
        for prefix, (side, what) in self._sides.items():
            figures = {
                name.removeprefix("val_"): value
                for name, value in logs.items()
                if name.startswith("val_") == bool(prefix)
            }
            # What is trained for stands before what is made small.
            names = sorted(figures, key=lambda name: name == "loss")
            if names:
                said = ", ".join(_in_words(name, figures[name]) for name in names)
                yield f"{side}{f' on {what}' if what else ''}: {said}"

    def on_train_end(self, logs: dict | None = None) -> None:
        """Removes the bar."""
        self.stop()

    def stop(self) -> None:
        """Removes the bar and shows the cursor again.

        `fit` does it at its end; whoever leaves `fit` by an exception, Ctrl-C
        among them, calls it.
        """
        if self._progress is not None:
            self._progress.stop()
        self._progress, self._task = None, None


def _in_words(name: str, value: float) -> str:
    if "accuracy" in name:
        return f"{name.replace('_', ' ')} {100 * value:.1f} %"
    return f"{name.replace('_', ' ')} {value:.4f}"
