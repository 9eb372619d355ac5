"""The picture of fits: what a learner predicts for some tasks, beside what is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfmeta.datasets.task_table import TaskTable
from tfmeta.episodes import TaskEpisodes
from tfmeta.learners import FewShotLearner
from tfmeta.printable import short_name
from tfmeta.runs.pictures import RIGHT, WRONG, save_figure

_MOST_TARGETS = 3
_MOST_ROWS = 300
_GRID = 200


def draw_fits(
    learner: FewShotLearner, episodes: TaskEpisodes, path: Path, *, count: int = 6
) -> None:
    """Some tasks of a table, each from a few rows: predictions and what is true.

    With one feature there are the curve of predictions over it and the rows; with
    several, the prediction for each row against its target, on a diagonal at best.

    Args:
        learner: The learner, of rows and targets in the units of the table.
        episodes: Whose tasks, shots and seed they are.
        path: PNG file to write.
        count: Number of tasks, side by side.
    """
    table = episodes.table
    chosen = np.linspace(0, table.num_tasks - 1, min(count, table.num_tasks))
    targets = table.target_names[:_MOST_TARGETS]
    figure = Figure(
        figsize=(2.6 * len(chosen) + 0.6, 2.6 * len(targets) + 0.9),
        layout="constrained",
    )
    grid = figure.subplots(len(targets), len(chosen), squeeze=False)
    draw = _draw_curve if len(table.feature_names) == 1 else _draw_against_true
    for column, task in enumerate(chosen.round().astype(int)):
        for row, axes in enumerate(grid[:, column]):
            draw(axes, learner, _Rows(episodes, int(task)), row)
            axes.tick_params(labelsize=6)
            axes.grid(alpha=0.3)
            axes.xaxis.set_major_locator(MaxNLocator(4))
        name = short_name(table.task_names[task], 22)
        grid[0, column].set_title(name, fontsize=8, parse_math=False)
    for row, target in enumerate(targets):
        _name_axes(grid[row, 0], table, target)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8
    )
    save_figure(figure, path)


class _Rows:
    """The rows of one task: those of the support, and the others."""

    def __init__(self, episodes: TaskEpisodes, task: int) -> None:
        table = episodes.table
        start, stop = table.offsets[task : task + 2]
        order = np.random.default_rng([episodes.seed, task]).permutation(stop - start)
        support, others = np.split(start + order[:_MOST_ROWS], [episodes.shots])
        self.x, self.y = table.features[support], table.targets[support]
        self.other_x, self.other_y = table.features[others], table.targets[others]

    def predictions(self, learner: FewShotLearner, query: np.ndarray) -> np.ndarray:
        """Float `(rows, outputs)`."""
        state = learner.adapt(self.x[None], self.y[None])
        return np.asarray(learner.predict_query(state, query[None])[0])


def _draw_curve(axes: Axes, learner: FewShotLearner, rows: _Rows, target: int) -> None:
    every = np.concatenate([rows.x, rows.other_x])
    x = np.linspace(every.min(), every.max(), _GRID)[:, None]
    axes.plot(
        rows.other_x[:, 0],
        rows.other_y[:, target],
        ".",
        color="#b0b7bf",
        markersize=3,
        label="other rows of the task",
    )
    axes.plot(
        x[:, 0], rows.predictions(learner, x)[:, target], color=RIGHT, label="predicted"
    )
    axes.plot(
        rows.x[:, 0],
        rows.y[:, target],
        "^",
        color=WRONG,
        markersize=5,
        label="support",
    )


def _draw_against_true(
    axes: Axes, learner: FewShotLearner, rows: _Rows, target: int
) -> None:
    true = rows.other_y[:, target]
    predicted = rows.predictions(learner, rows.other_x)[:, target]
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color="#8c959f", linewidth=1, label="prediction = truth")
    axes.axhline(
        rows.y[:, target].mean(),
        color=WRONG,
        linestyle=":",
        linewidth=1,
        label="mean of the support",
    )
    axes.plot(
        true, predicted, ".", color=RIGHT, markersize=4, label="rows not in the support"
    )


def _name_axes(axes: Axes, table: TaskTable, target: str) -> None:
    name = short_name(target, 24)
    if len(table.feature_names) == 1:
        feature = short_name(table.feature_names[0], 24)
        axes.set_xlabel(feature, fontsize=8, parse_math=False)
        axes.set_ylabel(name, fontsize=8, parse_math=False)
        return
    axes.set_xlabel(f"{name}, true", fontsize=8, parse_math=False)
    axes.set_ylabel(f"{name}, predicted", fontsize=8, parse_math=False)
