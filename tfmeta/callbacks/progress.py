"""One progress bar for a whole training, with an estimate of its end."""

from __future__ import annotations

from typing import Any

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class TrainingProgress(keras.callbacks.Callback):
    """Shows all epochs of a `fit` as one bar, and one line per finished epoch.

    Use it with `verbose=0`. Where the output is no terminal, the lines alone
    are printed.

    Args:
        console: The rich console to print to.

    Example:

    ```python
    learner.fit(..., callbacks=[TrainingProgress()], verbose=0)
    ```
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._console = console or Console()
        self._progress: Progress | None = None
        self._task: Any = None
        self._batches = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the bar."""
        self._progress = Progress(
            TextColumn("{task.description}"),
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
        figures = ", ".join(
            f"{name} {value:.4f}" for name, value in (logs or {}).items()
        )
        width = len(str(self.params["epochs"]))
        self._console.print(
            f"epoch {epoch + 1:{width}d}/{self.params['epochs']}: {figures}",
            highlight=False,
        )

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
