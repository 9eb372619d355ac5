"""Pictures of which class was taken for which."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tfmeta.evaluation import EvaluationResult
from tfmeta.printable import short_name
from tfmeta.runs.pictures import RIGHT, WRONG, save_figure

# A matrix of more classes has no room for their names.
_MOST_IN_MATRIX = 30
_MOST_PAIRS = 20
_LOWEST = 5
_MOST_GROUPS = 40
_COLOURS = "Blues"


def draw_confusion(
    result: EvaluationResult,
    path: Path,
    *,
    groups: Sequence[str] | None = None,
    group_level: str = "group",
) -> None:
    """Which test classes were taken for which, over all episodes.

    Up to 30 classes are shown as a matrix. Of more there is the recall of all,
    sorted, the pairs most often confused and, where classes have groups, which
    group was taken for which.

    Args:
        result: The figures; one that a former version kept has no confusion.
        path: PNG file to write.
        groups: Group of each class, or `None`.
        group_level: What a group is called, e.g. `"alphabet"`.

    Raises:
        ValueError: When the result has no confusion.
    """
    if result.confusion is None:
        raise ValueError(
            "`result` must hold which class was taken for which. Received: one that "
            "was measured by a former version; measure it again"
        )
    title = str(result).splitlines()[0]
    classes = np.flatnonzero(result.class_total).tolist()
    if len(classes) <= _MOST_IN_MATRIX:
        counts = result.confusion.among(classes)
        np.fill_diagonal(counts, result.class_correct[classes])
        names = [result.class_names[c] for c in classes]
        draw_matrix(counts, names, names, path, title=title)
        return
    grouped = groups is not None and 1 < len(set(groups)) <= _MOST_GROUPS
    figure = Figure(figsize=(18 if grouped else 11, 6.5), layout="constrained")
    panels = figure.subplots(1, 3 if grouped else 2)
    figure.suptitle(title, fontsize=11, parse_math=False)
    _draw_recall(panels[0], result)
    _draw_pairs(panels[1], result)
    if grouped:
        assert groups is not None
        _draw_groups(panels[2], result, groups, group_level)
    save_figure(figure, path)


def draw_matrix(
    counts: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    path: Path,
    *,
    title: str,
) -> None:
    """A confusion matrix with the counts written in, shaded by share of its row.

    Args:
        counts: Int `(rows, columns)`: queries of a class by what was answered.
        rows: Name of each true class.
        columns: Name of each answer.
        path: PNG file to write.
        title: Stands above.
    """
    height = max(3.2, 0.34 * len(rows) + 2.2)
    width = max(4.5, 0.42 * len(columns) + 3.2)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    figure.suptitle(textwrap.fill(title, int(11 * width)), fontsize=9, parse_math=False)
    _draw_shares(axes, counts, rows, columns, most=1.0)
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = counts[row, column] / counts[row].sum()
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize=7 if counts.max() < 1000 else 5,
            color="white" if share > 0.55 else "black",
        )
    axes.set_xlabel("answered")
    axes.set_ylabel("true class")
    save_figure(figure, path)


def _draw_shares(
    axes: Axes,
    counts: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    most: float | None,
) -> AxesImage:
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(
        counts / totals, cmap=_COLOURS, vmin=0, vmax=most, aspect="auto"
    )
    axes.set_xticks(
        range(len(columns)),
        [short_name(name) for name in columns],
        rotation=90,
        fontsize=7,
    )
    axes.set_yticks(range(len(rows)), [short_name(name) for name in rows], fontsize=7)
    _plain(axes)
    return image


def _draw_recall(axes: Axes, result: EvaluationResult) -> None:
    recall = np.sort(100 * result.class_recall[result.class_total > 0])
    axes.fill_between(
        np.arange(len(recall)), recall, step="mid", color=RIGHT, alpha=0.3
    )
    axes.step(np.arange(len(recall)), recall, where="mid", color=RIGHT)
    median = float(np.median(recall))
    axes.axhline(median, color="grey", linestyle=":", label=f"median, {median:.1f} %")
    axes.set_xlim(0, len(recall) - 1)
    axes.set_ylim(0, 100)
    axes.set_xlabel(f"{len(recall):,} test classes, sorted")
    axes.set_ylabel("recall, %")
    axes.set_title("Recall of each class", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    lowest = np.argsort(result.class_recall)[:_LOWEST]
    named = [
        f"{100 * result.class_recall[c]:.0f} %  {short_name(result.class_names[c])}"
        for c in lowest
    ]
    axes.text(
        0.03,
        0.97,
        "\n".join(["lowest:", *named]),
        transform=axes.transAxes,
        va="top",
        fontsize=7,
        parse_math=False,
    )


def _draw_pairs(axes: Axes, result: EvaluationResult) -> None:
    assert result.confusion is not None
    pairs = result.confusion.most_confused(_MOST_PAIRS)
    axes.set_title("Most often taken for another", fontsize=10)
    if not pairs:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no wrong answer", ha="center", va="center")
        return
    names = [
        f"{short_name(result.class_names[t])}  →  {short_name(result.class_names[p])}"
        for t, p, _ in pairs
    ]
    place = np.arange(len(pairs))
    axes.barh(place, [count for *_, count in pairs], color=WRONG, alpha=0.7)
    axes.set_yticks(place, names, fontsize=7)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("queries answered wrongly so")
    axes.grid(alpha=0.3, axis="x")
    _plain(axes)


def _draw_groups(
    axes: Axes, result: EvaluationResult, groups: Sequence[str], level: str
) -> None:
    confusion = result.confusion
    assert confusion is not None
    names, codes = np.unique(np.asarray(groups, str), return_inverse=True)
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(
        counts, (codes[confusion.true], codes[confusion.taken_for]), confusion.count
    )
    shares = _draw_shares(axes, counts, names.tolist(), names.tolist(), most=None)
    colours = axes.figure.colorbar(shares, ax=axes, shrink=0.6)
    colours.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_title(f"Wrong answers by {level}, share of each row", fontsize=10)
    axes.set_xlabel(f"{level} of the answer")
    axes.set_ylabel(f"{level} of the true class")


def _plain(axes: Axes) -> None:
    """Names are names, whatever they look like: a `$` begins no formula."""
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_parse_math(False)
