"""The picture of accuracy by instance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfmeta.evaluation.instances_result import InstancesResult
from tfmeta.printable import short_name
from tfmeta.runs.pictures import RIGHT, save_figure


def draw_instances(result: InstancesResult, path: Path) -> None:
    """Accuracy at each instance, with both intervals, and chance.

    Args:
        result: The figures.
        path: PNG file to write.
    """
    p, instances = result.protocol, np.array(result.instances)
    percent = np.array([100 * result.accuracy(number) for number in instances])
    draws = np.array([100 * result.over_episode_draws(number) for number in instances])
    over_classes = [result.over_test_classes(number).ends for number in instances]
    # Where there is no interval there is no band.
    low, high = 100 * np.array([ends or (np.nan, np.nan) for ends in over_classes]).T
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    if any(ends is not None for ends in over_classes):
        axes.fill_between(
            instances,
            low,
            high,
            color=RIGHT,
            alpha=0.2,
            linewidth=0,
            label="95 % over test classes",
        )
    axes.errorbar(
        instances,
        percent,
        yerr=draws,
        color=RIGHT,
        marker=".",
        capsize=3,
        label="accuracy, 95 % over episode draws",
    )
    axes.axhline(
        100 * result.chance,
        color="grey",
        linestyle=":",
        label=f"chance, {100 * result.chance:.1f} %",
    )
    if result.guesses:
        axes.plot(
            instances[:1],
            [100 * result.best_first],
            linestyle="none",
            marker="_",
            markersize=14,
            color="grey",
            label="the most by ruling out labels that are taken",
        )
    axes.set_title(
        f"{p['ways']}-way, {p['instances']} instances of each class on "
        f"{short_name(p['table'])}",
        fontsize=10,
        parse_math=False,
    )
    axes.set_xlabel("instance of the class, before its label is told")
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(-2, 102)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    # Below the axes: an untrained learner lies at the bottom, a good one at the top.
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    save_figure(figure, path)
