"""A picture of answers: a sheet of the queries with what they were taken for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfmeta.classifying.answers import Answers
from tfmeta.datasets.reading.thumbnails import read_thumbnail
from tfmeta.printable import short_name
from tfmeta.runs.pictures import RIGHT, WRONG, save_figure

MOST = 48
_COLUMNS = 8
_CELL = 1.5  # inches
_PIXELS = 180  # of a picture's longer side; more would not be seen
_INK = "#24292f"


def draw_answers(answers: Answers, files: Sequence[Path], path: Path) -> None:
    """Draws queries with the class that each is taken for, into a PNG file.

    Below a query stand the class and its probability; where the true class is known
    its frame is green or red, and a wrong one says what it is. Of many queries some
    are taken at even distances; the title says how many of how many.

    Args:
        answers: The answers.
        files: The picture of each query.
        path: The file.

    Example:

    ```python
    draw_answers(answers, task.query, Path("answers.png"))
    ```
    """
    count = min(len(answers), MOST)
    shown = [i * len(answers) // count for i in range(count)]
    columns = min(count, _COLUMNS)
    rows = math.ceil(count / columns)
    width = max(columns * _CELL, 4.5)
    figure = Figure(figsize=(width, rows * (_CELL + 0.35) + 0.5), layout="constrained")
    figure.suptitle(_title(answers, count), fontsize=11, parse_math=False)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for axes, row in zip(grid, shown, strict=False):
        _show(axes, answers, row, read_thumbnail(files[row], pixels=_PIXELS))
    save_figure(figure, path)


def _title(answers: Answers, count: int) -> str:
    total = len(answers)
    title = f"{count} of {total:,} pictures" if count < total else f"{total} pictures"
    checked = answers.checked()
    if checked is None:
        return title
    return f"{title}; {checked.summary()}"


def _show(axes: Axes, answers: Answers, row: int, picture: np.ndarray) -> None:
    axes.imshow(picture, interpolation="nearest")
    label, probability = int(answers.classes[row]), answers.probability_of(row)
    lines = [short_name(answers.name_of(label), 17)]
    if probability is not None:
        lines[0] += f"  {probability:.2f}"
    colour = _INK
    if answers.labels is not None:
        true = int(answers.labels[row])
        colour = RIGHT if true == label else WRONG
        axes.spines[:].set_visible(True)
        axes.spines[:].set_edgecolor(colour)
        axes.spines[:].set_linewidth(2.5)
        if true != label:
            lines.append(f"is {short_name(answers.name_of(true), 18)}")
    axes.set_xlabel("\n".join(lines), fontsize=8, color=colour, parse_math=False)
