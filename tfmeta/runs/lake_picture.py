"""One picture of Lake's one-shot test: every drawing, right and wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tfmeta.datasets.omniglot.lake_runs import LakeRuns
from tfmeta.evaluation.lake import LakeResult
from tfmeta.runs.pictures import RIGHT, WRONG, save_figure

_PANEL_COLUMNS = 2
_GAP = 0.14  # between pictures, in widths of one
_KNOWN = "#999999"


def draw_lake(runs: LakeRuns, result: LakeResult, path: Path) -> None:
    """Draws all runs: each character, its query, and what that was taken for.

    Args:
        runs: The pictures.
        result: The answers.
        path: PNG file to write.
    """
    count, ways = runs.labels.shape
    panel_rows = -(-count // _PANEL_COLUMNS)
    figure = Figure(figsize=(15, panel_rows * 1.5 + 0.5), layout="constrained")
    figure.suptitle(
        f"{100 * result.error:.1f} % error. Rows of each run: the characters, one "
        "drawing each; a drawing of each by another person; what that was taken for, "
        "where wrong.",
        fontsize=10,
    )
    panels = figure.subplots(panel_rows, _PANEL_COLUMNS, squeeze=False).ravel()
    for run, axes in enumerate(panels):
        axes.set_axis_off()
        if run < count:
            axes.set_title(
                f"run {run + 1}, {runs.alphabets[run].replace('_', ' ')}: "
                f"{result.run_errors[run]} of {ways} wrong",
                fontsize=8,
                pad=3,
            )
            _draw_run(axes, runs, result, run)
    save_figure(figure, path)


def _draw_run(axes: Axes, runs: LakeRuns, result: LakeResult, run: int) -> None:
    support, query = runs.support[run, ..., 0], runs.query[run, ..., 0]
    size, step = runs.size, runs.size + max(2, round(runs.size * _GAP))
    ways = len(support)
    # One picture of them all: each by itself would take matplotlib ten times longer.
    mosaic = np.zeros((3 * step, ways * step), np.uint8)
    frames: dict[str, list[Rectangle]] = {
        colour: [] for colour in (_KNOWN, RIGHT, WRONG)
    }

    def place(picture: np.ndarray, row: int, column: int, colour: str) -> None:
        y, x = row * step, column * step
        mosaic[y : y + size, x : x + size] = picture
        frames[colour].append(Rectangle((x - 0.5, y - 0.5), size, size))

    for way in range(ways):
        place(support[way], 0, way, _KNOWN)
    answers = zip(result.labels[run], result.predicted[run], strict=True)
    for index, (label, answer) in enumerate(answers):
        right = label == answer
        place(query[index], 1, label, RIGHT if right else WRONG)
        if not right:
            place(support[answer], 2, label, WRONG)
    axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=255)
    for colour, rectangles in frames.items():
        axes.add_collection(
            PatchCollection(rectangles, facecolor="none", edgecolor=colour)
        )
    # Room for the frames at the edge.
    axes.set_xlim(-2.5, ways * step)
    axes.set_ylim(3 * step, -2.5)
